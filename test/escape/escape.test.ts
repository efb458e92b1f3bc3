/**
 * A VMM that its guest has taken over, and its jail: a stand-in is started in the place of QEMU,
 * and in that of the microVM that libkrun makes of its shim, by the code that starts those. It
 * tries to get out, and each attempt has to be denied or bounded. The same for helpers, but for
 * what their work is. docs/threat-model.md lists the attempts.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bundleShim } from '../../native/krun/src/testing/shim-process.ts';
import { smallestKernel, TestLibraries } from '../../native/krun/src/testing/test-library.ts';
import { within } from '../e2e/support/within.ts';

const DEADLINE_MS = 60_000;
const ROOT = join(import.meta.dirname, '../..');
/** An ordinary user without processes, whose id root takes on. */
const ORDINARY = { uid: 54_321, gid: 54_321 };
/**
 * Those of two boxes of root. Programs of other tests, which have the first users of boxes, would
 * count among the processes that a stand-in makes.
 */
const OF_BOXES = [0x7a35_8000, 0x7a35_8001].map((id) => ({ uid: id, gid: id })) as [
  Identity,
  Identity,
];
const asRoot = process.geteuid?.() === 0;

let libraries: TestLibraries;
let standIn: string;
let shim: string;
let root: string;
let servers: Server[];
/** A file of the host in memory. */
let shared: string;
/** What the stand-in has reported, once it has ended. */
let reported: Promise<string>;

const at = (...names: string[]): string => join(root, ...names);

beforeAll(async () => {
  libraries = new TestLibraries();
  shim = await bundleShim(libraries.directory);
  standIn = join(libraries.directory, 'stand-in');
  const flags = ['-std=gnu17', '-Wall', '-Wextra', '-Werror', '-static', '-O1', '-o', standIn];
  execFileSync('cc', [...flags, join(import.meta.dirname, 'stand-in.c')]);
});

afterAll(() => {
  libraries[Symbol.dispose]();
});

beforeEach(() => {
  // Not in a directory that a jail has one of its own of.
  root = mkdtempSync('/tmp/a3s-escape-');
  shared = mkdtempSync('/dev/shm/a3s-escape-');
  chmodSync(shared, 0o755);
  servers = [];
});

afterEach(async () => {
  for (const server of servers) await new Promise((done) => server.close(done));
  for (const each of [root, shared]) rmSync(each, { recursive: true });
});

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** The files and sockets of a server of this owner with two boxes, and the stand-in's own. */
async function prepare(
  owner: Identity,
  box: Identity,
  other: Identity,
  /** How many open files the stand-in is given to write. */
  given: 0 | 1,
): Promise<void> {
  const give = (path: string, { uid, gid }: Identity) => {
    if (asRoot) chownSync(path, uid, gid);
  };
  chmodSync(root, 0o755);
  give(root, owner);
  for (const [name, holder] of [
    ['other', other],
    ['box', box],
  ] as const) {
    mkdirSync(at(name), { mode: 0o700 });
    give(at(name), holder);
  }
  for (const [name, holder] of [
    ['other/disk', other],
    ['state', owner],
  ] as const) {
    writeFileSync(at(name), 'secret', { mode: 0o600 });
    give(at(name), holder);
  }
  for (const [path, holder] of [
    [at('other/monitor'), other],
    [at('control'), owner],
    [`\0${root}`, undefined],
  ] as const) {
    await listenAt(path);
    if (holder === undefined) continue;
    chmodSync(path, 0o600);
    give(path, holder);
  }
  const loopback = createServer((connection) => connection.destroy());
  servers.push(loopback);
  await new Promise<void>((done) => loopback.listen(0, '127.0.0.1', done));
  writeFileSync(
    at('box/targets'),
    [
      ...[`disk ${at('other/disk')}`, `state ${at('state')}`, `shm ${shared}`],
      ...[`monitor ${at('other/monitor')}`, `control ${at('control')}`, `abstract ${root}`],
      ...[
        `given ${given}`,
        `pid ${process.pid}`,
        `port ${(loopback.address() as { port: number }).port}`,
      ],
    ]
      .map((line) => `${line}\n`)
      .join(''),
    { mode: 0o644 },
  );
  reported = listenForReport();
  chmodSync(at('box/report'), 0o666);
  copyFileSync(standIn, at('box/stand-in'));
  chmodSync(at('box/stand-in'), 0o755);
  for (const name of ['kernel', 'initrd', 'changes']) {
    writeFileSync(at(name), name === 'kernel' ? smallestKernel() : name, { mode: 0o644 });
  }
  give(at('changes'), box);
}

async function listenAt(path: string): Promise<void> {
  const server = createServer((connection) => connection.destroy());
  servers.push(server);
  await new Promise<void>((done) => server.listen(path, done));
}

/** The socket is there when this returns. */
function listenForReport(): Promise<string> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => text(connection).then(resolve, reject));
    servers.push(server);
    server.listen(at('box/report'));
  });
}

/** What became of each attempt. */
async function report(): Promise<Map<string, string>> {
  const lines = (await within('the report', reported)).trim().split('\n');
  return new Map(lines.map((line) => [line.split(' ')[0] ?? '', line.split(' ')[1] ?? '']));
}

const HELPERS = ['passt', 'virtiofsd', 'converter', 'decoder'] as const;
type Started = 'qemu' | 'krun' | (typeof HELPERS)[number];

/** Starts the VMM in a process of its own, which is the server's user. */
function start(started: Started, owner: Identity, box: Identity): void {
  // Where the owner, who may be another user than that of the tests, can read it.
  const library = at('libkrun.so.1');
  copyFileSync(libraries.build({ defaults: { run: `exec:${at('box/stand-in')}` } }), library);
  const program = at('krun-shim.cjs');
  copyFileSync(shim, program);
  for (const path of [library, program]) chmodSync(path, 0o755);
  const settings = {
    ...{ program: started, root, box, library, shim: program, modules: resolve('node_modules') },
    standIn: at('box/stand-in'),
  };
  const node = [process.execPath, '--conditions=a3s-source', '--import', 'tsx'];
  const become = [
    'setpriv',
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    '--clear-groups',
    '--',
  ];
  const words = [...(asRoot && owner.uid !== 0 ? become : []), ...node];
  const [first = '', ...args] = [
    ...words,
    join(import.meta.dirname, 'start-stand-in.ts'),
    JSON.stringify(settings),
  ];
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TSX_DISABLE_CACHE: '1' };
  execFileSync(first, args, { cwd: ROOT, env, timeout: DEADLINE_MS, stdio: 'inherit' });
}

const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
const OWNERS: readonly (readonly [string, Identity])[] = asRoot
  ? [
      ['root', own],
      ['an ordinary user', ORDINARY],
    ]
  : [['this user', own]];

/** What a program of the owner can do without a jail, so that it shows something within one. */
const WITHOUT_JAIL = [
  ...['read-other-disk', 'write-other-disk', 'read-state', 'host-shared-memory'],
  ...['other-monitor', 'control-socket', 'abstract-socket', 'host-loopback', 'io-uring'],
  ...[
    'sysfs',
    'core-dump',
    'userfaultfd',
    'keyring',
    'vsock-socket',
    'netlink-socket',
    'new-user-namespace',
    'name-to-handle',
    'personality',
  ],
  ...['shared-memory', 'pidfd', 'system-calls-of-i386', 'fill-memory', 'fork-bomb'],
  ...['longer-files', 'make-file', 'make-directory', 'make-link', 'shared-mapping', 'memory-file'],
  'shared-zeros',
  'lengthen-disk',
];

/** The attempts in the table of the documentation. */
function documented(): string[] {
  const text = readFileSync(join(ROOT, 'docs/threat-model.md'), 'utf8');
  const [, section = ''] = text.split('## Out of the jail of a VMM');
  const [table = ''] = section.split('\n## ');
  return [...table.matchAll(/^\| `([^|]+)` \|/gm)].flatMap(([, names = '']) => names.split('`, `'));
}

it('a stand-in without a jail reaches what is named, and the documentation names each attempt', async () => {
  const owner = asRoot ? ORDINARY : own;
  await prepare(owner, owner, owner, 1);
  const disk = openSync(at('changes'), 'r+');
  const options = { timeout: DEADLINE_MS, cwd: '/', ...(asRoot ? owner : {}) };
  execFileSync(at('box/stand-in'), { ...options, stdio: ['ignore', 'ignore', 'inherit', disk] });
  closeSync(disk);
  const attempts = await report();
  expect(open(attempts)).toEqual(expect.arrayContaining(WITHOUT_JAIL));
  expect(documented().toSorted()).toEqual([...attempts.keys()].toSorted());
});

const open = (attempts: ReadonlyMap<string, string>): string[] =>
  [...attempts].filter(([, became]) => became === 'OPEN').map(([name]) => name);

/** What a helper's jail leaves open by itself, as the documentation lists it. */
function left(helper: (typeof HELPERS)[number], owner: 'root' | 'an ordinary user'): string[] {
  const text = readFileSync(join(ROOT, 'docs/threat-model.md'), 'utf8');
  const [, section = ''] = text.split('## Out of the jail of a helper');
  const [table = ''] = section.split('\n## ');
  const rows = [...table.matchAll(/^\| ([^|]+) \| ([^|]+) \|/gm)];
  return rows
    .filter(([, whose]) => whose === helper || whose === `${helper}, ${owner}`)
    .flatMap(([, , names = '']) => [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
}

describe.each(OWNERS)('of a taken-over helper of %s', (_, owner) => {
  const whose = owner.uid === 0 ? 'root' : 'an ordinary user';
  it.each(HELPERS)(
    'the jail of a %s denies or bounds each attempt that is not listed',
    async (name) => {
      const [box, other] = owner.uid === 0 ? OF_BOXES : [owner, owner];
      await prepare(owner, box, other, name === 'converter' ? 1 : 0);
      mkdirSync(at('shared'));
      start(name, owner, box);
      const attempts = await report();
      expect(open(attempts).toSorted()).toEqual(left(name, whose).toSorted());
      expect(attempts.size).toBe(documented().length);
    },
  );
});

describe.each(OWNERS)('of a taken-over VMM of %s', (_, owner) => {
  it.each(['qemu', 'krun'] as const)(
    'the jail of %s denies or bounds each attempt',
    async (engine) => {
      const [box, other] = owner.uid === 0 ? OF_BOXES : [owner, owner];
      // The stand-in of libkrun takes over a shim that has closed its files to programs.
      await prepare(owner, box, other, engine === 'qemu' ? 1 : 0);
      start(engine, owner, box);
      const attempts = await report();
      expect(open(attempts)).toEqual([]);
      expect(attempts.size).toBe(documented().length);
    },
  );
});
