/**
 * Launch specs that break one rule each, and launch specs at the limit of a rule.
 *
 * @module
 */

import { ULIMITS } from '../../../policies/src/launch-spec/box-spec.ts';
import { canonicalJson } from '../../../policies/src/launch-spec/canonical-json.ts';
import type { LaunchSpec } from '../../../policies/src/launch-spec/launch-spec.ts';
import type { LaunchSpecVector } from '../format.ts';
import { BROKER_ACCEPTED, BROKER_RULES } from './broker.ts';
import { CHANGES_ACCEPTED, CHANGES_RULES } from './changes.ts';
import { DEVICE_RULES, DEVICES_ACCEPTED } from './devices.ts';
import { DIRECTORY_RULES, numbered } from './directories.ts';
import { EGRESS_ACCEPTED, EGRESS_RULES } from './egress.ts';
import { HOST_NETWORKS_ACCEPTED, HOST_NETWORKS_RULES } from './host-networks.ts';
import { NAME_RULES, NAMES_ACCEPTED } from './names.ts';
import { OPTION_RULES, OPTIONS_ACCEPTED } from './options.ts';
import { PRIVILEGED_ACCEPTED, PRIVILEGED_RULES } from './privileged.ts';
import { type Change, RESOURCE_RULES, type Refused, ulimit } from './resources.ts';
import { SEALED_VOLUMES_ACCEPTED, SEALED_VOLUMES_RULES } from './sealed-volumes.ts';
import { SEALING_ACCEPTED, SEALING_RULES } from './sealing.ts';
import { SECCOMP_ACCEPTED, SECCOMP_RULES } from './seccomp.ts';
import { NO_TEXT, OTHER_TEXTS } from './texts.ts';
import { TMPFS_ACCEPTED, TMPFS_RULES } from './tmpfs.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

type Secret = LaunchSpec['secrets'][number];

/** Says as little as a spec can. */
const SMALL = {
  schema: 'a3s-box/launch-spec/v1',
  deployment: '',
  image: { manifestDigest: `sha256:${A}` },
  hostname: 'box',
  rootfs: {
    layers: [{ diffId: `sha256:${B}`, bytes: 4096, root: A }],
    changes: 'memory',
    readonly: false,
  },
  process: { args: ['/x'], env: [], cwd: '/', user: '', terminal: false, stdin: false },
  stopSignal: 'SIGTERM',
  network: 'none',
  confinement: {
    capabilities: [],
    noNewPrivileges: true,
    seccomp: 'default',
    maskedPaths: [],
    readonlyPaths: [],
  },
  resources: {},
  hostMay: [],
  secrets: [],
  secretsDeadline: 600,
  sealing: 'none',
} satisfies LaunchSpec;

const FILE: Secret = {
  name: 'token',
  injectors: [A],
  allowAnyInjector: false,
  delivery: { kind: 'file' },
};
const ENV: Secret = {
  name: 'uri',
  injectors: [],
  allowAnyInjector: true,
  delivery: { kind: 'env', variable: 'DATABASE_URI' },
};

/** Says all that a spec can. */
const FULL: LaunchSpec = {
  ...SMALL,
  deployment: 'shop.eu-1_b',
  hostname: 'Shop-1.example',
  rootfs: {
    layers: [
      { diffId: `sha256:${A}`, bytes: 8192, root: B },
      { diffId: `sha256:${B}`, bytes: 2 ** 53 - 4096, root: A },
    ],
    changes: 'encrypted-disk',
    readonly: true,
  },
  process: {
    args: ['sh', '-c', '', 'é\u{1f512}\u2028\u2029\u007f\ufeff'],
    env: ['A=1', 'A=2', 'B==', 'C=\b\t\n\f\r\u0001\u001f"\\/'],
    cwd: '/srv/../x',
    user: 'app:1000',
    terminal: true,
    stdin: true,
  },
  stopSignal: 'SIGRTMIN+3',
  network: 'nic',
  confinement: {
    capabilities: ['CAP_NET_BIND_SERVICE', 'CAP_CHOWN', 'CAP_CHOWN'],
    noNewPrivileges: false,
    seccomp: 'unconfined',
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys', '/'],
  },
  resources: {
    memoryBytes: 2 ** 53 - 1,
    cpuMillis: 1,
    pids: 100,
    memoryReservationBytes: 2 ** 53 - 1,
    cpuWeight: 10_000,
    ulimits: [
      { name: 'nofile', soft: 1024, hard: 2 ** 53 - 1 },
      { name: 'core', soft: 0, hard: 0 },
      { name: 'memlock', soft: -1, hard: -1 },
      { name: 'as', soft: 0, hard: -1 },
    ],
  },
  init: true,
  hostMay: ['attach', 'exec', 'files', 'logs', 'signals', 'stats'],
  secrets: [{ ...FILE, injectors: [A, B] }, ENV],
  secretsDeadline: 86_400,
};

const REFUSED: readonly Refused[] = [
  ['schema-v2', 'A later version.', ['schema', 'a3s-box/launch-spec/v2']],
  ['schema-box', 'The spec of a plain box.', ['schema', 'a3s-box/box-spec/v1']],
  ['deployment-capital', 'No capitals.', ['deployment', 'Shop']],
  ['deployment-dash-first', 'Begins with a letter or digit.', ['deployment', '-a']],
  ['deployment-long', '64 characters.', ['deployment', 'a'.repeat(64)]],
  ['deployment-line-end', 'A line end behind a name.', ['deployment', 'shop\n']],
  ['deployment-null', 'Null is no value.', ['deployment', null]],
  ['image-tag', 'A tag is no digest.', ['image.manifestDigest', 'shop:latest']],
  ['image-capitals', 'Digits in capitals.', ['image.manifestDigest', `sha256:${'A'.repeat(64)}`]],
  ['image-short', '63 digits.', ['image.manifestDigest', `sha256:${'a'.repeat(63)}`]],
  ['image-sha512', 'Another algorithm.', ['image.manifestDigest', `sha512:${'a'.repeat(128)}`]],
  ['image-more', 'An image has one key.', ['image.name', 'shop']],
  ['hostname-empty', 'No name.', ['hostname', '']],
  ['hostname-underscore', 'No underscore.', ['hostname', 'a_b']],
  ['hostname-long', '64 characters.', ['hostname', 'a'.repeat(64)]],
  ['hostname-not-ascii', 'Letters of other scripts.', ['hostname', 'böx']],
  ['layers-none', 'No layer.', ['rootfs.layers', []]],
  [
    'layers-129',
    'More than 128 layers.',
    ['rootfs.layers', Array(129).fill(SMALL.rootfs.layers[0])],
  ],
  ['layer-diff-id', 'A diff ID without its algorithm.', ['rootfs.layers.0.diffId', A]],
  ['layer-bytes-zero', 'No byte.', ['rootfs.layers.0.bytes', 0]],
  ['layer-bytes-odd', 'Not a multiple of 4096.', ['rootfs.layers.0.bytes', 4097]],
  ['layer-bytes-negative', 'Less than none.', ['rootfs.layers.0.bytes', -4096]],
  ['layer-bytes-text', 'A number as text.', ['rootfs.layers.0.bytes', '4096']],
  ['layer-root-short', '62 digits.', ['rootfs.layers.0.root', 'a'.repeat(62)]],
  ['layer-root-prefix', 'A root has no algorithm.', ['rootfs.layers.0.root', `sha256:${A}`]],
  ['layer-without-root', 'A layer that nobody verifies.', ['rootfs.layers.0.root', undefined]],
  ['layer-serial', 'The host names no disk.', ['rootfs.layers.0.serial', 'layer-1']],
  ['layer-null', 'Null instead of a layer.', ['rootfs.layers.0', null]],
  ['changes-disk', 'A disk that the host can read.', ['rootfs.changes', 'disk']],
  ['changes-object', 'As a plain box says it.', ['rootfs.changes', { kind: 'memory' }]],
  ...CHANGES_RULES,
  ['readonly-text', 'A word for a truth value.', ['rootfs.readonly', 'true']],
  ['readonly-number', 'A number for a truth value.', ['rootfs.readonly', 1]],
  ['args-none', 'No program.', ['process.args', []]],
  ['args-nul', 'NUL ends an argument.', ['process.args.0', '/x\0']],
  ['args-number', 'A number for an argument.', ['process.args.0', 1]],
  ['args-long', 'More than 128 Ki characters.', ['process.args.0', 'x'.repeat(131_073)]],
  ['env-without-equals', 'A name alone.', ['process.env', ['PATH']]],
  ['env-without-name', 'A value alone.', ['process.env', ['=x']]],
  ['env-nul', 'NUL ends an entry.', ['process.env', ['A=\0']]],
  ['cwd-relative', 'Not from the root.', ['process.cwd', 'srv']],
  ['cwd-empty', 'Nowhere.', ['process.cwd', '']],
  ['cwd-long', '4097 characters.', ['process.cwd', `/${'x'.repeat(4096)}`]],
  ['cwd-long-pairs', '4097 of four bytes.', ['process.cwd', `/${'\u{1f512}'.repeat(4096)}`]],
  ['user-long', '257 characters.', ['process.user', 'x'.repeat(257)]],
  ['user-nul', 'NUL in a user.', ['process.user', 'a\0']],
  ['process-size', 'A size is the client’s.', ['process.size', { rows: 24, columns: 80 }]],
  ['terminal-missing', 'Every key is written out.', ['process.terminal', undefined]],
  ['stop-signal-number', 'A number.', ['stopSignal', '15']],
  ['stop-signal-short', 'Without SIG.', ['stopSignal', 'TERM']],
  ['stop-signal-nothing', 'SIG alone.', ['stopSignal', 'SIG']],
  ['stop-signal-lower', 'In small letters.', ['stopSignal', 'sigterm']],
  ['network-bridge', 'An unknown network.', ['network', 'bridge']],
  ['network-object', 'As a plain box says it.', ['network', { kind: 'none' }]],
  ['capability-lower', 'In small letters.', ['confinement.capabilities', ['cap_chown']]],
  ['capability-short', 'Without CAP_.', ['confinement.capabilities', ['CHOWN']]],
  ['capability-admin', 'For the whole guest.', ['confinement.capabilities', ['CAP_SYS_ADMIN']]],
  ['capability-bpf', 'For the whole guest.', ['confinement.capabilities', ['CAP_BPF']]],
  ['capability-perfmon', 'For the whole guest.', ['confinement.capabilities', ['CAP_PERFMON']]],
  ['capability-module', 'For the whole guest.', ['confinement.capabilities', ['CAP_SYS_MODULE']]],
  ['capability-ptrace', 'For the whole guest.', ['confinement.capabilities', ['CAP_SYS_PTRACE']]],
  [
    'capability-read-search',
    'For the whole guest.',
    ['confinement.capabilities', ['CAP_DAC_READ_SEARCH']],
  ],
  ['capability-rawio', 'For the whole guest.', ['confinement.capabilities', ['CAP_SYS_RAWIO']]],
  ['capabilities-65', '65 of them.', ['confinement.capabilities', Array(65).fill('CAP_CHOWN')]],
  ['seccomp-path', 'A profile of the host’s.', ['confinement.seccomp', '/etc/seccomp.json']],
  ...PRIVILEGED_RULES,
  ...OPTION_RULES,
  ...NAME_RULES,
  ...HOST_NETWORKS_RULES,
  ...DEVICE_RULES,
  ...SECCOMP_RULES,
  ['masked-relative', 'Not from the root.', ['confinement.maskedPaths', ['proc/kcore']]],
  ['masked-257', '257 of them.', ['confinement.maskedPaths', Array(257).fill('/x')]],
  ['readonly-relative', 'Not from the root.', ['confinement.readonlyPaths', ['']]],
  ['memory-zero', 'No memory.', ['resources.memoryBytes', 0]],
  ['cpu-negative', 'Less than none.', ['resources.cpuMillis', -1]],
  ['pids-null', 'Null for no limit.', ['resources.pids', null]],
  ['pids-unsafe', '2^53.', ['resources.pids', 2 ** 53]],
  ...RESOURCE_RULES,
  ...DIRECTORY_RULES,
  ...TMPFS_RULES,
  ['resources-swap', 'An unknown limit.', ['resources.swap', 1]],
  ['host-may-unknown', 'An unknown permission.', ['hostMay', ['debug']]],
  ['host-may-all', 'A word for all of them.', ['hostMay', ['*']]],
  ['host-may-unsorted', 'Not sorted.', ['hostMay', ['logs', 'exec']]],
  ['host-may-twice', 'One twice.', ['hostMay', ['logs', 'logs']]],
  ['host-may-object', 'Not a list.', ['hostMay', { logs: true }]],
  ['secret-name-path', 'A path.', ['secrets', [{ ...FILE, name: '../token' }]]],
  ['secret-name-dot', 'A dot first.', ['secrets', [{ ...FILE, name: '.token' }]]],
  ['secret-name-capital', 'A capital.', ['secrets', [{ ...FILE, name: 'Token' }]]],
  ['secret-name-empty', 'No name.', ['secrets', [{ ...FILE, name: '' }]]],
  ['secret-injector-nobody', 'Nobody may.', ['secrets', [{ ...FILE, injectors: [] }]]],
  ['secret-injector-any-and-one', 'Both.', ['secrets', [{ ...FILE, allowAnyInjector: true }]]],
  ['secret-injector-short', 'Not a digest.', ['secrets', [{ ...FILE, injectors: ['a'] }]]],
  ['secret-injector-unsorted', 'Not sorted.', ['secrets', [{ ...FILE, injectors: [B, A] }]]],
  ['secret-injector-twice', 'One twice.', ['secrets', [{ ...FILE, injectors: [A, A] }]]],
  ['secret-any-left-out', 'Written out.', ['secrets', [{ ...FILE, allowAnyInjector: undefined }]]],
  ['secret-delivery-unknown', 'Unknown.', ['secrets', [{ ...FILE, delivery: { kind: 'stdin' } }]]],
  [
    'secret-file-variable',
    'A file has no variable.',
    ['secrets', [{ ...FILE, delivery: { kind: 'file', variable: 'A' } }]],
  ],
  ['secret-env-nothing', 'No variable.', ['secrets', [{ ...FILE, delivery: { kind: 'env' } }]]],
  [
    'secret-env-digit',
    'A digit first.',
    ['secrets', [{ ...FILE, delivery: { kind: 'env', variable: '1A' } }]],
  ],
  [
    'secret-env-equals',
    'Two variables in one.',
    ['secrets', [{ ...FILE, delivery: { kind: 'env', variable: 'A=B' } }]],
  ],
  [
    'secret-env-long',
    '129 characters.',
    ['secrets', [{ ...FILE, delivery: { kind: 'env', variable: 'A'.repeat(129) } }]],
  ],
  ['secret-value', 'A value in a spec.', ['secrets', [{ ...FILE, value: 'x' }]]],
  ['secrets-twice', 'One twice.', ['secrets', [FILE, FILE]]],
  ['secrets-one-variable', 'One variable.', ['secrets', [{ ...ENV, name: 'a' }, ENV]]],
  [
    'secrets-65',
    '65 of them.',
    ['secrets', Array.from({ length: 65 }, (_, n) => ({ ...FILE, name: `s${n + 100}` }))],
  ],
  ['deadline-zero', 'No time.', ['secretsDeadline', 0]],
  ['deadline-long', 'More than a day.', ['secretsDeadline', 86_401]],
  ['sealing-unknown', 'Keys that nobody derives.', ['sealing', 'launch']],
  ...SEALING_RULES,
  ...SEALED_VOLUMES_RULES,
  ...BROKER_RULES,
  ...EGRESS_RULES,
  ['mounts', 'A share of the host.', ['mounts', []]],
  ['ports', 'Ports are the host’s.', ['ports', []]],
  ['secrets-missing', 'Every key is written out.', ['secrets', undefined]],
  ['host-may-missing', 'Nothing is permitted by leaving it out.', ['hostMay', undefined]],
  ['proto', 'A key that some readers skip.', ['__proto__', 'x']],
  ['empty-key', 'A key without a name.', ['', 'x']],
];

export function launchSpecRuleVectors(): LaunchSpecVector[] {
  const small = canonicalJson(SMALL);
  const accepted = (name: string, comment: string, ...changes: Change[]): LaunchSpecVector =>
    vector(name, comment, changed(SMALL, changes), 'accepted');
  return [
    vector('small', 'As little as a spec can say.', small, 'accepted'),
    vector('most', 'All that a spec can say.', canonicalJson(FULL), 'accepted'),
    accepted('text-128ki', 'The longest argument.', ['process.args.0', 'x'.repeat(131_072)]),
    accepted('cwd-4096', 'The longest path: a character is one, however many bytes it has.', [
      'process.cwd',
      `/${'\u{1f512}'.repeat(4095)}`,
    ]),
    accepted('user-256', 'The longest user.', ['process.user', 'é'.repeat(256)]),
    accepted('layers-128', 'All the layers.', [
      'rootfs.layers',
      Array(128).fill(SMALL.rootfs.layers[0]),
    ]),
    accepted('ulimits-none', 'An empty list is one.', ['resources.ulimits', []]),
    accepted('ulimits-all', 'Every resource.', [
      'resources.ulimits',
      ULIMITS.map((name) => ulimit(name, 0, 0)),
    ]),
    accepted('init-false', 'Written out.', ['init', false]),
    accepted('directories', 'Of volumes.', ['directories', ['/.d/...', '/a b', '/a/b']]),
    accepted('directories-utf-16', 'Sorted as UTF-16, which is another order than that of bytes.', [
      'directories',
      ['/\u{1f512}', '/\uff5e'],
    ]),
    accepted('directories-256', 'All the directories.', ['directories', numbered(256)]),
    accepted('directories-4096', 'The longest.', ['directories', [`/${'é'.repeat(4095)}`]]),
    ...SEALED_VOLUMES_ACCEPTED.map(([name, comment, ...changes]) =>
      accepted(name, comment, ...changes),
    ),
    ...[
      ...[...OPTIONS_ACCEPTED, ...DEVICES_ACCEPTED, ...SECCOMP_ACCEPTED],
      ...[...CHANGES_ACCEPTED, ...NAMES_ACCEPTED, ...HOST_NETWORKS_ACCEPTED],
    ].map(([name, comment, ...changes]) => accepted(name, comment, ...changes)),
    ...PRIVILEGED_ACCEPTED.map(([name, comment, ...changes]) =>
      accepted(name, comment, ...changes),
    ),
    ...SEALING_ACCEPTED.map(([name, comment, ...changes]) => accepted(name, comment, ...changes)),
    ...BROKER_ACCEPTED.map(([name, comment, ...changes]) => accepted(name, comment, ...changes)),
    ...EGRESS_ACCEPTED.map(([name, comment, ...changes]) => accepted(name, comment, ...changes)),
    ...TMPFS_ACCEPTED.map(([name, comment, ...changes]) => accepted(name, comment, ...changes)),
    accepted('secret-any', 'Every client that reaches the box may inject it.', ['secrets', [ENV]]),
    ...REFUSED.map(([name, comment, ...changes]) => vector(name, comment, changed(SMALL, changes))),
    ...OTHER_TEXTS.map(([name, comment, change]) => vector(name, comment, change(small))),
    ...NO_TEXT.map(([name, comment, bytes]) => {
      const [before = '', behind = ''] = small.split('/x');
      const text = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(behind)]);
      return { name, comment, text, expected: 'launch-spec-malformed' as const };
    }),
  ];
}

function vector(
  name: string,
  comment: string,
  text: string,
  expected: LaunchSpecVector['expected'] = 'launch-spec-malformed',
): LaunchSpecVector {
  return { name, comment, text: Buffer.from(text), expected };
}

/** The text of a changed spec, canonical but for what no canonical text can say. */
function changed(spec: object, changes: readonly Change[]): string {
  const copy: unknown = structuredClone(spec);
  for (const [path, value] of changes) put(copy, path.split('.'), value);
  return write(copy);
}

function put(at: unknown, [key = '', ...rest]: readonly string[], value: unknown): void {
  const members = at as Record<string, unknown>;
  if (rest.length > 0) put(members[key], rest, value);
  // Plain assignment would take `__proto__` for something else.
  else
    Object.defineProperty(members, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
}

/**
 * As `canonicalJson`, for any value: what is refused is to be refused for nothing but what is wrong
 * with it.
 */
function write(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`).join(',')}}`;
}
