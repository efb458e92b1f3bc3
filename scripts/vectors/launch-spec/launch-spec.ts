/**
 * Launch specs, and invalid texts that resemble one.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { type LaunchSpec, launchSpecText } from '../../../policies/src/launch-spec/launch-spec.ts';
import type { LaunchSpecVector } from '../format.ts';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

const SPEC: LaunchSpec = {
  schema: 'a3s-box/launch-spec/v1',
  deployment: 'prod',
  image: { manifestDigest: `sha256:${digest('manifest')}` },
  hostname: 'box',
  rootfs: {
    layers: [
      { diffId: `sha256:${digest('layer 0')}`, bytes: 8192, root: digest('root 0') },
      { diffId: `sha256:${digest('layer 1')}`, bytes: 4096, root: digest('root 1') },
    ],
    changes: 'memory',
    readonly: false,
  },
  process: {
    args: ['/bin/serve', '--greeting', 'grüß "dich"\t\\ 日本 🔒 </script> \u2028\u007f'],
    env: ['PATH=/usr/bin:/bin', 'EMPTY='],
    cwd: '/',
    user: '1000:1000',
    terminal: false,
    stdin: false,
  },
  stopSignal: 'SIGTERM',
  network: 'nic',
  confinement: {
    capabilities: ['CAP_CHOWN', 'CAP_KILL'],
    noNewPrivileges: true,
    seccomp: 'default',
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
  },
  resources: { memoryBytes: 268_435_456, cpuMillis: 1500 },
  hostMay: ['logs', 'stats'],
  secrets: [
    {
      name: 'db.url',
      injectors: [],
      allowAnyInjector: true,
      delivery: { kind: 'env', variable: 'DB_URL' },
    },
    {
      name: 'token',
      injectors: [digest('a'), digest('b')].sort(),
      allowAnyInjector: false,
      delivery: { kind: 'file' },
    },
  ],
  secretsDeadline: 600,
  sealing: 'none',
};

const TEXT = launchSpecText(SPEC);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The canonical text with one place of it written otherwise. */
function edited(from: string, to: string): Uint8Array {
  if (TEXT.split(from).length !== 2) throw new Error(`${from} does not stand there once`);
  return bytes(TEXT.replace(from, () => to));
}

const accepted = (name: string, comment: string, spec: LaunchSpec): LaunchSpecVector => ({
  name,
  comment,
  text: bytes(launchSpecText(spec)),
  expected: 'accepted',
});

const refused = (name: string, comment: string, text: Uint8Array): LaunchSpecVector => ({
  name,
  comment,
  text,
  expected: 'launch-spec-malformed',
});

export function launchSpecVectors(): readonly LaunchSpecVector[] {
  return [...good(), ...notCanonical(), ...notUtf8(), ...notASpec(), ...outOfOrder()];
}

function good(): readonly LaunchSpecVector[] {
  const { rootfs, process } = SPEC;
  return [
    accepted('full', 'Everything that a spec can say.', SPEC),
    accepted('least', 'Nothing that a spec need not say.', {
      ...SPEC,
      deployment: '',
      network: 'none',
      resources: {},
      hostMay: [],
      secrets: [],
    }),
    accepted('encrypted-disk', 'Changes go to a disk under a key of the guest.', {
      ...SPEC,
      rootfs: { ...rootfs, changes: 'encrypted-disk', readonly: true },
    }),
    accepted('control-characters', 'All of them, each escaped in the shortest way.', {
      ...SPEC,
      process: { ...process, args: [Array.from({ length: 31 }, (_, at) => unit(at + 1)).join('')] },
    }),
  ];
}

function unit(code: number): string {
  return String.fromCharCode(code);
}

function notCanonical(): readonly LaunchSpecVector[] {
  const later = '"stopSignal":"SIGTERM"}';
  return [
    refused('one-space', 'A blank behind a colon.', edited('"sealing":', '"sealing": ')),
    refused('newline-at-end', 'A newline behind it.', bytes(`${TEXT}\n`)),
    refused('unsorted', 'A member behind one that it comes before.', moved()),
    refused(
      'duplicate',
      'The same member twice, with another value.',
      edited(later, `${later.slice(0, -1)},"stopSignal":"SIGINT"}`),
    ),
    refused(
      'duplicate-same',
      'The same member twice, with the same value.',
      edited(later, `${later.slice(0, -1)},${later}`),
    ),
    refused(
      'escaped-letter',
      'A letter that needs no escape has one.',
      edited('"box"', '"b\\u006fx"'),
    ),
    refused(
      'escaped-slash',
      'A slash that needs no escape has one.',
      edited('"/proc/kcore"', '"\\/proc/kcore"'),
    ),
    refused('upper-case-escape', 'A tab as its number.', edited('\\t', '\\u0009')),
    refused('exponent', 'A number with an exponent.', edited(':600,', ':6e2,')),
    refused('fraction', 'A number with a fraction of zero.', edited(':600,', ':600.0,')),
    refused('leading-zero', 'A number that begins with zero.', edited(':600,', ':0600,')),
    refused(
      'unsafe-integer',
      'A number that not every reader holds exactly.',
      edited(':268435456}', ':9007199254740993}'),
    ),
    refused(
      'comment',
      'A comment, which JSON has none of.',
      edited('{"confinement"', '/**/{"confinement"'),
    ),
    refused('second-document', 'Another document behind the first.', bytes(`${TEXT}${TEXT}`)),
  ];
}

function moved(): Uint8Array {
  const sealing = '"sealing":"none",';
  return bytes(`${TEXT.replace(sealing, '').slice(0, -1)},${sealing.slice(0, -1)}}`);
}

function notUtf8(): readonly LaunchSpecVector[] {
  const at = TEXT.indexOf('"box"') + 1;
  const before = bytes(TEXT.slice(0, at));
  const behind = bytes(TEXT.slice(at));
  const between = (...inserted: number[]): Uint8Array =>
    Buffer.concat([before, Uint8Array.from(inserted), behind]);
  return [
    refused('not-utf-8', 'A byte that UTF-8 never has.', between(0xff)),
    refused('overlong', 'A slash in two bytes.', between(0xc0, 0xaf)),
    refused(
      'encoded-surrogate',
      'Half a pair, as UTF-8 must not have it.',
      between(0xed, 0xa0, 0x80),
    ),
    refused('escaped-surrogate', 'Half a pair, as an escape.', edited('EMPTY=', 'EMPTY=\\ud800')),
    refused(
      'byte-order-mark',
      'A mark before it.',
      Buffer.concat([Uint8Array.from([0xef, 0xbb, 0xbf]), bytes(TEXT)]),
    ),
    refused('empty', 'No text at all.', new Uint8Array(0)),
    refused('cut-off', 'All but its last byte.', bytes(TEXT.slice(0, -1))),
  ];
}

function notASpec(): readonly LaunchSpecVector[] {
  return [
    refused(
      'unknown-member',
      'A member of a later version.',
      edited('"sealing":"none"', '"sealing":"none","shares":[]'),
    ),
    refused(
      'unknown-member-below',
      'A member that layers do not have.',
      edited('"bytes":4096,', '"bytes":4096,"compressed":true,'),
    ),
    refused(
      'prototype',
      'A member that some readers take for something else.',
      edited('{"confinement"', '{"__proto__":{},"confinement"'),
    ),
    refused(
      'missing-member',
      'No secrets, not even an empty list.',
      bytes(TEXT.replace(/,"secrets":\[.*\],"secretsDeadline"/, ',"secretsDeadline"')),
    ),
    refused(
      'null-member',
      'Null where nothing is meant.',
      edited('"cpuMillis":1500', '"cpuMillis":null'),
    ),
    refused('other-case', 'A member in capitals.', edited('"hostname"', '"hostName"')),
    refused('other-schema', 'The next version.', edited('launch-spec/v1', 'launch-spec/v2')),
    refused('a-list', 'A list of specs.', bytes(`[${TEXT}]`)),
    refused('nul', 'A NUL character in the environment.', edited('EMPTY=', 'EMPTY=\\u0000')),
    refused(
      'index-for-manifest',
      'An image by its name, and not by its manifest.',
      edited(`sha256:${digest('manifest')}`, 'busybox:latest'),
    ),
    refused(
      'no-layers',
      'A root of nothing.',
      bytes(TEXT.replace(/"layers":\[.*?\],/, '"layers":[],')),
    ),
    refused(
      'odd-layer',
      'A layer that is not made of whole blocks.',
      edited('"bytes":8192', '"bytes":8193'),
    ),
    refused(
      'plain-disk',
      'Changes on a disk of the host as it is.',
      edited('"changes":"memory"', '"changes":"disk"'),
    ),
    refused(
      'relative-cwd',
      'A directory that hangs on another.',
      edited('"cwd":"/"', '"cwd":"srv"'),
    ),
    refused(
      'sealing',
      'Sealing by a policy that does not exist.',
      edited('"sealing":"none"', '"sealing":"measurement"'),
    ),
    refused('no-deadline', 'A wait without an end.', edited(':600,', ':0,')),
    refused('long-deadline', 'A wait of more than a day.', edited(':600,', ':86401,')),
  ];
}

function outOfOrder(): readonly LaunchSpecVector[] {
  const [first, second] = SPEC.secrets;
  if (first === undefined || second === undefined) throw new Error('two secrets are needed');
  const { injectors } = second;
  const written = (spec: LaunchSpec): Uint8Array => bytes(launchSpecText(spec));
  const secrets = (...list: LaunchSpec['secrets']): Uint8Array =>
    written({ ...SPEC, secrets: list });
  return [
    refused('unknown-permission', 'An unknown permission.', edited('"logs"', '"debug"')),
    refused(
      'permissions-unsorted',
      'Permissions out of order.',
      written({ ...SPEC, hostMay: ['stats', 'logs'] }),
    ),
    refused(
      'permission-twice',
      'A permission twice.',
      written({ ...SPEC, hostMay: ['logs', 'logs'] }),
    ),
    refused('secrets-unsorted', 'Secrets out of order.', secrets(second, first)),
    refused('secret-twice', 'A secret twice.', secrets(second, second)),
    refused(
      'secret-path',
      'A secret that would leave its directory.',
      secrets({ ...second, name: '../token' }),
    ),
    refused(
      'injectors-unsorted',
      'Injectors out of order.',
      secrets({ ...second, injectors: [...injectors].reverse() }),
    ),
    refused(
      'no-injector',
      'Nobody may inject it, and not everybody either.',
      secrets({ ...second, injectors: [] }),
    ),
    refused(
      'injector-and-any',
      'One may inject it, and everybody.',
      secrets({ ...second, allowAnyInjector: true }),
    ),
    refused(
      'variable-twice',
      'Two secrets in one variable.',
      secrets(first, { ...second, delivery: first.delivery }),
    ),
    refused(
      'variable-name',
      'A variable that no shell could name.',
      secrets({ ...first, delivery: { kind: 'env', variable: '1X' } }),
    ),
    refused(
      'file-with-variable',
      'A file with a variable.',
      edited('{"kind":"file"}', '{"kind":"file","variable":"X"}'),
    ),
    refused(
      'env-without-variable',
      'A variable without a name.',
      edited('{"kind":"env","variable":"DB_URL"}', '{"kind":"env"}'),
    ),
  ];
}
