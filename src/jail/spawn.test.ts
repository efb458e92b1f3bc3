import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type JailHost, jailCommand } from './arguments.ts';
import { allocateIdentity, identityFor } from './identity.ts';
import type { JailProgram } from './jail.ts';
import { refusalOf } from './refusal.ts';
import { jailFeatures, setLeastJail, spawnInJail } from './spawn.ts';

const uid = process.geteuid?.() ?? 0;
const gid = process.getegid?.() ?? 0;
const identity = identityFor(uid, gid, []);
const other = identityFor(uid, gid, [identity.uid]);

let root: string;
let control: Server;
const path = (...names: string[]): string => join(root, ...names);

/** Tries to use every path, socket and process that it is given, and prints what succeeded. */
const PROBE = `
use Socket; my ($disk, $file, $sock, $pid) = @ARGV;
for my $path ($disk, $file) { print open(my $f, '<', $path) ? "read $path\\n" : ""; }
for my $path ($disk, $file) { print open(my $f, '>>', $path) ? "wrote $path\\n" : ""; }
socket(my $s, PF_UNIX, SOCK_STREAM, 0); print connect($s, pack_sockaddr_un($sock)) ? "connected\\n" : "";
print kill(0, $pid) ? "signalled\\n" : ""; print open(my $m, '<', "/proc/$pid/environ") ? "environ\\n" : "";
print "done\\n";`;

function probe(overrides: Partial<JailProgram> = {}): JailProgram {
  const targets = [path('other', 'disk'), path('state.db'), path('server.sock'), `${process.pid}`];
  return {
    path: '/usr/bin/perl',
    args: ['-e', PROBE, ...targets],
    identity,
    stdio: ['ignore', 'pipe', 'pipe'],
    writable: [path('own')],
    readable: [],
    network: false,
    outlives: false,
    limits: { openFiles: 64 },
    ...overrides,
  };
}

async function output(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('no pipes');
  const [out, err] = await Promise.all([text(stdout), text(stderr)]);
  return out + err;
}

async function run(args: readonly string[], overrides: Partial<JailProgram> = {}): Promise<string> {
  const [program, ...rest] = args;
  return output(await spawnInJail(probe({ path: program ?? '', args: rest, ...overrides })));
}

beforeAll(async () => {
  // Not in a directory that a jail has one of its own of, such as /dev.
  root = await mkdtemp('/tmp/a3s-jail-');
  await chmod(root, 0o711);
  for (const [name, owner] of [
    ['own', identity],
    ['other', other],
  ] as const) {
    await mkdir(path(name), { mode: 0o700 });
    await writeFile(path(name, 'disk'), `${name}'s`, { mode: 0o600 });
    if (uid !== 0) continue;
    await chown(path(name, 'disk'), owner.uid, owner.gid);
    await chown(path(name), owner.uid, owner.gid);
  }
  await writeFile(path('state.db'), 'state', { mode: 0o600 });
  control = createServer();
  await new Promise<void>((resolve) => control.listen(path('server.sock'), resolve));
  await chmod(path('server.sock'), 0o600);
});

afterAll(async () => {
  await new Promise((resolve) => control.close(resolve));
  await rm(root, { recursive: true });
});

it('lets the probe program reach everything outside a jail', () => {
  const reached = execFileSync('/usr/bin/perl', [...probe().args], { encoding: 'utf8' });
  const [disk, state] = [path('other', 'disk'), path('state.db')];
  expect(reached.trim().split('\n')).toEqual([
    `read ${disk}`,
    `read ${state}`,
    `wrote ${disk}`,
    `wrote ${state}`,
    'connected',
    'signalled',
    'environ',
    'done',
  ]);
});

describe('a jail', () => {
  it('keeps other boxes’ disks, the state, the control socket and this process out of reach', async () => {
    expect(await output(await spawnInJail(probe()))).toBe('done\n');
  });

  it('lets a jailed program reach the directory of its own box', async () => {
    expect(await run(['/usr/bin/cat', path('own', 'disk')])).toBe("own's");
  });

  it('shows a jailed program nothing but the programs of the system', async () => {
    const { namespaces } = await jailFeatures();
    expect(namespaces).toBe(true);
    const seen = (await run(['/usr/bin/ls', '-A', '/'])).trim().split('\n');
    const roots = ['bin', 'dev', 'etc', 'lib', 'lib32', 'lib64', 'libx32', 'proc', 'sbin', 'usr'];
    expect(seen.filter((name) => !roots.includes(name))).toEqual([root.split('/')[1]]);
    expect(await run(['/usr/bin/ls', '/etc'])).toBe('alternatives\nld.so.cache\n');
  });

  it('leaves a jailed program no capability, and none to gain', async () => {
    const status = await run(['/usr/bin/cat', '/proc/self/status']);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      expect(status).toMatch(new RegExp(`^${set}:\t0000000000000000$`, 'm'));
    }
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(new RegExp(`^Uid:\t${identity.uid}\t`, 'm'));
    expect(await run(['/usr/bin/unshare', '--user', '/usr/bin/true'])).toMatch(/unshare failed/);
  });

  it('dumps no core of a jailed program, and enforces its limits', async () => {
    const limits = await run(['/usr/bin/cat', '/proc/self/limits'], { limits: { openFiles: 77 } });
    expect(limits).toMatch(/^Max core file size +0 +0 /m);
    expect(limits).toMatch(/^Max open files +77 +77 /m);
  });

  it('passes only the given descriptors into a jail, and lets their files be opened again', async () => {
    const fd = openSync(path('own', 'disk'), 'r');
    await chmod(path('own', 'disk'), 0o444);
    const stdio = ['ignore', 'pipe', 'pipe', fd] as const;
    const list = await run(['/usr/bin/sh', '-c', 'readlink /proc/self/fd/*; cat /proc/self/fd/3'], {
      stdio,
    });
    closeSync(fd);
    const files = list.split('\n').filter((line) => line.startsWith('/') && line !== '/dev/null');
    expect(files.filter((line) => !line.startsWith('/proc/'))).toEqual([path('own', 'disk')]);
    expect(list).toContain("own's");
  });

  it('ends the keeper with a program that must not outlive its parent', async () => {
    const args = ['-c', 'echo up; exec sleep 600'];
    const child = await spawnInJail(probe({ path: '/usr/bin/sh', args }));
    // Only once the program runs does it die with its keeper.
    if (child.stdout !== null) await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    expect(child.signalCode).toBe('SIGKILL');
  });
});

it.runIf(uid === 0)('keeps a program out by a user id of its own alone', async () => {
  const host: JailHost = {
    prlimit: '/usr/bin/prlimit',
    nsenter: '/usr/bin/nsenter',
    setpriv: '/usr/bin/setpriv',
    bwrap: undefined,
    roots: new Map(),
    taskset: '/usr/bin/taskset',
    hardLimits: new Map(),
  };
  const features = { identity: true, namespaces: false, landlock: false };
  const [program, ...args] = jailCommand(host, features, probe({ identity: allocateIdentity([]) }));
  expect(execFileSync(program, args, { encoding: 'utf8', cwd: '/' })).toBe('done\n');
});

it('reports weak jails as accepted, and all features as required, only when that was set', async () => {
  const set = { weakAccepted: false, allRequired: false };
  expect(await jailFeatures()).toMatchObject(set);
  try {
    setLeastJail('none');
    expect(await jailFeatures()).toMatchObject({ ...set, weakAccepted: true });
    setLeastJail('all-features');
    expect(await jailFeatures()).toMatchObject({ ...set, allRequired: true });
  } finally {
    setLeastJail('one-feature');
  }
});

describe('the least jail of a program', () => {
  const host = {
    ...{ identity: true, namespaces: true, reason: undefined },
    ...{ landlock: true, landlockReason: undefined },
  };
  const all = { ...host, weakAccepted: false, allRequired: true };
  const bare = { ...all, namespaces: false, reason: 'bwrap is missing' };

  it('starts a program with both features where all are required, and of root with one where they are not', () => {
    expect(refusalOf(all, probe())).toBeUndefined();
    expect(refusalOf({ ...bare, allRequired: false }, probe())).toBeUndefined();
  });

  it.each([
    ['without namespaces', bare, {}, /bwrap is missing, and A3S_JAIL=require/],
    [
      'without Landlock',
      { ...all, landlock: false, landlockReason: 'Landlock: not enabled' },
      {},
      /Landlock: not enabled, and A3S_JAIL=require/,
    ],
    ['at a port below 1024', all, { lowPorts: true }, /ports below 1024 has no namespaces/],
  ])('refuses a program %s where all are required', (_, features, changes, message) => {
    const refusal = refusalOf(features, probe(changes));
    expect(refusal).toMatchObject({ code: 'state-unusable' });
    expect(refusal?.message).toMatch(message);
  });

  it('refuses a program with neither feature unless that was accepted', () => {
    const none = { ...bare, identity: false, allRequired: false };
    expect(refusalOf(none, probe())).toMatchObject({ code: 'state-unusable' });
    expect(refusalOf({ ...none, weakAccepted: true }, probe())).toBeUndefined();
  });
});
