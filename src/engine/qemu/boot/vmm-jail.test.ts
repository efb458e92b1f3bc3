/**
 * From the VMM's jail, another box's disk, the state and the control socket cannot be opened: with
 * both features, and with either one alone. With namespaces or Landlock nothing can be made in the
 * box's own runtime directory either. A program that tries stands in for a VMM that its guest
 * took over.
 */
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BuiltFeatures, jailCommand } from '../../../jail/arguments.ts';
import { identityFor } from '../../../jail/identity.ts';
import type { JailIdentity, JailProgram } from '../../../jail/jail.ts';
import { jailFeatures, jailHost, spawnInJail } from '../../../jail/spawn.ts';
import { vmmJail } from './vmm.ts';

const uid = process.geteuid?.() ?? 0;
const gid = process.getegid?.() ?? 0;
const asRoot = uid === 0;
/** An ordinary user without processes, whose id root takes on. */
const ORDINARY: JailIdentity = { uid: 54_321, gid: 54_321 };
const BOTH: BuiltFeatures = { identity: true, namespaces: true, landlock: true };
const IDENTITY: BuiltFeatures = { identity: true, namespaces: false, landlock: false };
const NAMESPACES: BuiltFeatures = { identity: false, namespaces: true, landlock: false };
/** The last resort of a host without namespaces. */
const IDENTITY_AND_LANDLOCK: BuiltFeatures = { ...IDENTITY, landlock: true };

/** Opens each file to read and to write, connects to each socket, and prints what succeeded. */
const PROBE = `
use Socket; my ($own, @paths) = @ARGV; my @sockets = splice @paths, -2;
print "own\\n" if open(my $o, '>>', "$own/probe");
for (@paths) { print "read $_\\n" if open(my $f, '<', $_); print "wrote $_\\n" if open(my $g, '>>', $_); }
for (@sockets) { socket(my $s, PF_UNIX, SOCK_STREAM, 0);
  print "connected $_\\n" if connect($s, pack_sockaddr_un($_)); }
print "done\\n";`;

let root: string;
let servers: Server[];
const at = (...names: string[]): string => join(root, ...names);
/**
 * A box's disk, its output, the state, then the other box's monitor and the control server's
 * socket.
 */
const files = (): string[] => [
  at('boxes/other/changes.ext4'),
  at('boxes/other/log'),
  at('state.db'),
];
const sockets = (): string[] => [at('run/other/qmp.sock'), at('run/server.sock')];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vmm-'));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  await rm(root, { recursive: true });
});

/**
 * The home and the runtime directory of a server of this owner, with two boxes, as the server makes
 * them.
 */
async function prepare(owner: JailIdentity, box: JailIdentity, other: JailIdentity): Promise<void> {
  const own = (path: string, { uid, gid }: JailIdentity): Promise<void> =>
    asRoot ? chown(path, uid, gid) : Promise.resolve();
  await chmod(root, 0o755);
  for (const path of ['boxes', 'boxes/other', 'run']) {
    await mkdir(at(path), { mode: 0o711 });
    await own(at(path), owner);
  }
  for (const [path, holder] of [
    ['run/own', box],
    ['run/other', other],
  ] as const) {
    await mkdir(at(path), { mode: 0o700 });
    await own(at(path), holder);
  }
  for (const file of files()) {
    await writeFile(file, 'secret', { mode: 0o600 });
    await own(file, file.endsWith('.ext4') ? other : owner);
  }
  for (const socket of sockets()) {
    const server = createServer((connection) => connection.destroy());
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    servers.push(server);
    await chmod(socket, 0o600);
    await own(socket, socket.includes('other') ? other : owner);
  }
}

function probe(identity: JailIdentity): JailProgram {
  return {
    ...vmmJail({ identity, runtimeDir: at('run/own'), memoryBytes: 2 ** 28, cpus: 1 }),
    path: '/usr/bin/perl',
    args: ['-e', PROBE, at('run/own'), ...files(), ...sockets()],
    stdio: ['ignore', 'pipe', 2],
    outlives: true,
  };
}

function run([program, ...args]: readonly [string, ...string[]]): string[] {
  return execFileSync(program, args, { encoding: 'utf8', cwd: '/' }).trim().split('\n');
}

const everything = (): string[] => [
  'own',
  ...files().flatMap((file) => [`read ${file}`, `wrote ${file}`]),
  ...sockets().map((socket) => `connected ${socket}`),
  'done',
];
const nothing = ['done'];

describe('a program in the VMM’s jail', () => {
  it('confines a program to its own files with the jail features of this host', async () => {
    const identity = identityFor(uid, gid, []);
    await prepare({ uid, gid }, identity, identityFor(uid, gid, [identity.uid]));
    const program = probe(identity);
    expect(run([program.path, ...program.args])).toEqual(everything());
    await rm(at('run/own/probe'));
    expect(await jailFeatures()).toMatchObject({ identity: asRoot, namespaces: true });
    const { stdout } = await spawnInJail(program);
    if (stdout === null) throw new Error('no pipe');
    expect((await text(stdout)).trim().split('\n')).toEqual(nothing);
  });

  it.runIf(asRoot).each([
    ['both features', BOTH, nothing],
    ['the identity and Landlock', IDENTITY_AND_LANDLOCK, nothing],
    ['the identity alone', IDENTITY, ['own', ...nothing]],
  ])('confines a program of root to its own files with %s', async (_, features, expected) => {
    const identity = identityFor(uid, gid, []);
    await prepare({ uid, gid }, identity, identityFor(uid, gid, [identity.uid]));
    expect(run(jailCommand(await jailHost(), features, probe(identity)))).toEqual(expected);
  });

  it.runIf(asRoot)(
    'confines a program of root to its own files with the namespaces alone',
    async () => {
      const own = { uid, gid };
      await prepare(own, own, own);
      expect(run(jailCommand(await jailHost(), NAMESPACES, probe(own)))).toEqual(nothing);
    },
  );

  it.runIf(asRoot)('confines a program of an ordinary user to its own files', async () => {
    await prepare(ORDINARY, ORDINARY, ORDINARY);
    const become = (command: readonly string[]): [string, ...string[]] => [
      '/usr/bin/setpriv',
      `--reuid=${ORDINARY.uid}`,
      `--regid=${ORDINARY.gid}`,
      '--clear-groups',
      ...command,
    ];
    const program = probe(ORDINARY);
    expect(run(become([program.path, ...program.args]))).toEqual(everything());
    expect(run(become(jailCommand(await jailHost(), NAMESPACES, program)))).toEqual(nothing);
  });
});
