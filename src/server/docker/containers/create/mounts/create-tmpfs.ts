/**
 * Filesystems in memory of Docker's create document: options by their path, or in the long form.
 *
 * @module
 */
import { TMPFS_FLAGS } from '@a3s-box/policies';
import type * as z from 'zod';
import type { TmpfsMount } from '../../../../../boxes/record/tmpfs.ts';
import { mountPoint } from '../../../../../boxes/spec/volumes.ts';
import type { Mount } from '../../../../../docker-api/containers/mount.ts';
import { A3sError } from '../../../../../errors.ts';
import { kernelNumber, kernelSize } from '../kernel-number.ts';
import { unsupported } from '../unsupported-options.ts';

const PAGE = 4096;
/** The last id of 32 bits means none. */
const MAX_ID = 2 ** 32 - 2;
const PERMISSIONS = 0o7777;

/**
 * Every word stands for one property of the mount, switched on or off. Of a repeated property the
 * last word counts.
 */
const WORDS: ReadonlyMap<string, readonly [property: string, on: boolean]> = new Map([
  ...pair('readonly', 'ro', 'rw'),
  ...pair('suid', 'suid', 'nosuid'),
  ...pair('dev', 'dev', 'nodev'),
  ...pair('exec', 'exec', 'noexec'),
  ...pair('sync', 'sync', 'async'),
  ...pair('dirsync', 'dirsync', undefined),
  ...pair('mand', 'mand', 'nomand'),
  ...pair('noatime', 'noatime', 'atime'),
  ...pair('nodiratime', 'nodiratime', 'diratime'),
  // The default of the kernel.
  ...pair('relatime', 'relatime', 'norelatime'),
  ...pair('strictatime', 'strictatime', 'nostrictatime'),
  ...pair('private', 'private', undefined),
  ...pair('private', 'rprivate', undefined),
]);

/** Docker's words that ask for what no box has. */
const IMPOSSIBLE: ReadonlyMap<string, string> = new Map([
  ...['shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'].map(
    (word) => [word, 'mounts do not spread between a box and the host'] as const,
  ),
  ...['bind', 'rbind', 'remount'].map(
    (word) => [word, 'a tmpfs is a filesystem of its own'] as const,
  ),
]);

function pair(property: string, on: string, off: string | undefined) {
  const words: [string, readonly [string, boolean]][] = [[on, [property, true]]];
  if (off !== undefined) words.push([off, [property, false]]);
  return words;
}

/** What `key=value` options say. */
type Values = Pick<TmpfsMount, 'size' | 'mode' | 'uid' | 'gid' | 'inodes'>;

/**
 * `--tmpfs PATH:OPTIONS`. Docker refuses a wrong value when the box starts; here it is refused at
 * once.
 *
 * @throws A3sError `invalid-argument`, `unsupported-option`
 */
export function shortTmpfs(path: string, options: string): TmpfsMount {
  const destination = mountPoint(path);
  if (!path.startsWith('/')) {
    throw new A3sError(
      'invalid-argument',
      `invalid mount path: '${path.slice(0, 128)}' mount path must be absolute`,
    );
  }
  if (destination === '/') {
    throw new A3sError('invalid-argument', "invalid specification: destination can't be '/'");
  }
  const on = new Map<string, boolean>();
  let values: Values = {};
  for (const option of options === '' ? [] : options.split(',')) {
    if (option === 'defaults') continue;
    const known = WORDS.get(option);
    if (known === undefined) values = { ...values, ...optionValue(option) };
    else on.set(...known);
  }
  if (on.get('dev') === true) {
    throw unsupported('HostConfig.Tmpfs', 'dev: the devices of a box are in its /dev alone');
  }
  if (on.get('mand') === true) {
    throw unsupported('HostConfig.Tmpfs', 'mand: Linux has mandatory locks no longer');
  }
  // As the kernel decides where both are given.
  if (on.get('strictatime') === true) on.delete('noatime');
  return {
    ...{ destination, readonly: on.get('readonly') === true, ...values },
    flags: TMPFS_FLAGS.filter((flag) => on.get(flag) === true),
    asked: { form: 'short', path, options },
  };
}

function optionValue(option: string): Values {
  const impossible = IMPOSSIBLE.get(option);
  if (impossible !== undefined) throw unsupported('HostConfig.Tmpfs', `${option}: ${impossible}`);
  const equals = option.indexOf('=');
  const key = equals < 0 ? option : option.slice(0, equals);
  const text = equals < 0 ? '' : option.slice(equals + 1);
  const found = equals < 0 ? undefined : keyed(key, text);
  if (found !== undefined) return found;
  const shown = equals < 0 || !KEYS.has(key) ? key : option;
  throw new A3sError(
    'invalid-argument',
    `invalid tmpfs option ${JSON.stringify(shown.slice(0, 128))}`,
  );
}

const KEYS: ReadonlySet<string> = new Set([
  'size',
  'nr_blocks',
  'nr_inodes',
  'mode',
  'uid',
  'gid',
  'mpol',
]);

/** @returns undefined where there is no such key, or the kernel would not take the value */
function keyed(key: string, text: string): Values | undefined {
  switch (key) {
    case 'size': {
      const percent = /^(\d{1,9})%$/.exec(text)?.[1];
      if (percent !== undefined) return { size: { percent: Number(percent) } };
      return given(kernelSize(text), (bytes) => ({ size: { bytes } }));
    }
    case 'nr_blocks':
      return given(kernelSize(text, PAGE), (bytes) => ({ size: { bytes } }));
    case 'nr_inodes':
      return given(kernelSize(text), (inodes) => ({ inodes }));
    case 'mode':
      return /^[0-7]{1,11}$/.test(text)
        ? { mode: Number(BigInt(`0o${text}`) & BigInt(PERMISSIONS)) }
        : undefined;
    case 'uid':
      return given(kernelNumber(text, MAX_ID), (uid) => ({ uid }));
    case 'gid':
      return given(kernelNumber(text, MAX_ID), (gid) => ({ gid }));
    case 'mpol':
      if (text === 'default') return {};
      throw unsupported('HostConfig.Tmpfs', 'mpol: the memory of a guest is one node');
    default:
      return undefined;
  }
}

function given(value: number | undefined, then: (value: number) => Values): Values | undefined {
  return value === undefined ? undefined : then(value);
}

/**
 * `--mount type=tmpfs`.
 *
 * @param invalid makes the refusal of a mount
 * @throws A3sError `invalid-argument`
 */
export function longTmpfs(
  { Source, ReadOnly, TmpfsOptions }: z.output<typeof Mount>,
  destination: string,
  invalid: (why: string) => A3sError,
): TmpfsMount {
  if (Source !== '') throw invalid('field Source must not be specified');
  const { SizeBytes = 0, Mode = 0, Options = [] } = TmpfsOptions ?? {};
  let exec = false;
  for (const [name = '', ...more] of Options) {
    if (name === '' || more.length > 1) throw invalid('invalid option array length');
    if (name !== 'exec' && name !== 'noexec') throw invalid(`invalid option: ${name.slice(0, 64)}`);
    if (more.length > 0) throw invalid(`invalid option: ${name} takes no value`);
    exec = name === 'exec';
  }
  return {
    ...{ destination, readonly: ReadOnly },
    ...(SizeBytes === 0 ? {} : { size: { bytes: SizeBytes } }),
    ...(Mode === 0 ? {} : { mode: Mode & PERMISSIONS }),
    flags: exec ? ['exec'] : [],
    asked: { form: 'long', sizeBytes: SizeBytes, mode: Mode, options: Options },
  };
}
