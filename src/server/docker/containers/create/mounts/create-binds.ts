/**
 * Mounts of Docker's create document in their short form: `source:destination[:mode]`.
 *
 * @module
 */
import { posix } from 'node:path';
import type { VolumeMountRequest } from '../../../../../boxes/create/create-request.ts';
import { anonymousVolume } from '../../../../../boxes/create/image-volumes.ts';
import type { Bind } from '../../../../../boxes/record/box.ts';
import { mountPoint } from '../../../../../boxes/spec/volumes.ts';
import { A3sError } from '../../../../../errors.ts';
import { checkVolumeName, DIRECTORY } from '../../../../../volumes/volume.ts';
import { unsupported } from '../unsupported-options.ts';
import { SEALED_KIND, sealedWords } from './create-sealed.ts';

/** Docker's modes of a bind by kind; at most one of each kind is allowed. */
const MODES: Readonly<Record<string, 'access' | 'label' | 'consistency' | 'propagation' | 'copy'>> =
  {
    ...{ ro: 'access', rw: 'access' },
    // Accepted without effect: boxes have no SELinux labels on the host. What is shared is confined
    // to the box's VMM.
    ...{ z: 'label', Z: 'label' },
    ...{ consistent: 'consistency', cached: 'consistency', delegated: 'consistency' },
    ...{ private: 'propagation', rprivate: 'propagation', shared: 'propagation' },
    ...{ rshared: 'propagation', slave: 'propagation', rslave: 'propagation' },
    nocopy: 'copy',
  };

/**
 * Parses `source:destination[:mode]`. The source is a host path, which is absolute, or the name of
 * a volume. Impossible modes are refused by name.
 *
 * @throws A3sError `invalid-argument`, `unsupported-option`
 */
export function parseBind(bind: string): Bind | VolumeMountRequest {
  const parts = bind.split(':');
  const [source = '', destination = '', mode = ''] = parts;
  if (parts.length === 1 && source.startsWith('/')) return anonymousVolume(volumePath(source));
  if (parts.length < 2 || parts.length > 3) {
    throw new A3sError('invalid-argument', `invalid volume specification: '${bind}'`);
  }
  const target = mountPoint(destination);
  if (!destination.startsWith('/') || target === '/') {
    const why = target === '/' ? "destination can't be '/'" : 'mount path must be absolute';
    throw new A3sError('invalid-argument', `invalid volume specification: '${bind}': ${why}`);
  }
  const { sealed, rest } = sealedWords(mode);
  const words = modeWords(rest);
  const readonly = words.includes('ro');
  if (source.startsWith('/')) {
    if (words.includes('nocopy') || sealed !== undefined) throw invalidMode(mode);
    const shown = mode === '' ? {} : { mode };
    return { source: posix.normalize(source), destination: target, readonly, ...shown };
  }
  const spread = words.find((word) => MODES[word] === 'propagation');
  if (spread !== undefined) throw invalidMode(mode);
  // The launch spec does not say who copies nothing.
  if (sealed !== undefined && words.includes('nocopy')) throw invalidMode(mode);
  return {
    name: checkVolumeName(source),
    destination: target,
    readonly,
    noCopy: words.includes('nocopy'),
    mode: mode === '' ? 'z' : mode,
    form: 'bind',
    labels: {},
    kind: sealed === undefined ? DIRECTORY : SEALED_KIND,
    ...(sealed === undefined ? {} : { sealed }),
  };
}

function invalidMode(mode: string): A3sError {
  return new A3sError('invalid-argument', `invalid mode: ${mode.slice(0, 64)}`);
}

function modeWords(mode: string): readonly string[] {
  if (mode === '') return [];
  const words = mode.split(',');
  const kinds = words.map((word) => (Object.hasOwn(MODES, word) ? MODES[word] : undefined));
  if (kinds.includes(undefined) || new Set(kinds).size < kinds.length) {
    throw invalidMode(mode);
  }
  const spread = words[kinds.indexOf('propagation')];
  if (spread !== undefined && spread !== 'rprivate') {
    throw unsupported(
      'HostConfig.Binds',
      `mode ${spread}: mounts do not spread between a box and the host`,
    );
  }
  return words;
}

/**
 * Whether a mode of `--volumes-from` asks for less access. As in Docker, it may have labels and
 * consistency, and says nothing of propagation and copies.
 *
 * @throws A3sError `invalid-argument`, `unsupported-option`
 */
export function isReadOnlyMode(mode: string): boolean {
  const words = modeWords(mode);
  if (words.some((word) => MODES[word] === 'propagation' || MODES[word] === 'copy')) {
    throw invalidMode(mode);
  }
  return words.includes('ro');
}

/** @throws A3sError `invalid-argument` for a path that no volume can be at */
export function volumePath(path: string): string {
  const target = mountPoint(path);
  if (path.startsWith('/') && target !== '/') return target;
  const why = target === '/' ? "destination can't be '/'" : 'mount path must be absolute';
  throw new A3sError(
    'invalid-argument',
    `invalid volume specification: '${path.slice(0, 128)}': ${why}`,
  );
}
