import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { identityFor, isJailUid } from '../../jail/identity.ts';
import { parseHardLimits } from '../../jail/limits.ts';
import { findProcesses, KEEPER } from '../processes/processes.ts';
import { endProcesses } from '../processes/sweep.ts';
import { prepareDirectory } from '../runtime-directory.ts';
import { type FileServers, startVirtiofsd, virtiofsdArguments } from './virtiofsd.ts';

const never = new AbortController().signal;
const uid = process.geteuid?.() ?? 0;
const identity = identityFor(uid, process.getegid?.() ?? 0, []);

let root: string;
let runtimeDir: string;
let shared: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fs-'));
  runtimeDir = join(root, 'run');
  shared = join(root, 'shared');
  await mkdir(runtimeDir);
  await mkdir(shared);
  await writeFile(join(shared, 'a'), 'a');
  await writeFile(join(shared, 'b'), 'b');
  await prepareDirectory(runtimeDir, identity);
});
afterEach(async () => {
  await endProcesses(runtimeDir);
  await rm(root, { recursive: true });
});

it.runIf(process.geteuid?.() === 0)(
  'starts virtiofsd below a keeper in the group of the jail',
  async () => {
    const share = { tag: 'share-0', path: shared, readonly: true };
    await startVirtiofsd(share, 0, servers(), AbortSignal.timeout(10_000));
    // virtiofsd itself gives up all groups when it starts, as root may.
    const keeper = findProcesses(runtimeDir, isJailUid).find(({ program }) => program === KEEPER);
    expect(keeper).toMatchObject({ inGroup: true });
    expect(status(server(), 'PPid')).toBe(String(keeper?.pid));
  },
);

const servers = (count = 1): FileServers => ({ runtimeDir, identity, count });

/** The process id of the only running file server. */
function server(): number {
  const found = findProcesses(runtimeDir, isJailUid).find(({ program }) => program === 'virtiofsd');
  if (found === undefined) throw new Error('no virtiofsd runs');
  return found.pid;
}

/**
 * The process id once the file server has confined itself: it listens before it changes its root
 * and drops rights. Its own filter of system calls is the last step, and the second, after that of
 * its jail.
 */
async function confinedServer(): Promise<number> {
  const pid = server();
  await vi.waitFor(() => expect(status(pid, 'Seccomp_filters')).toBe('2'), { timeout: 30_000 });
  return pid;
}

function status(pid: number, field: string): string | undefined {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return new RegExp(`^${field}:\\t(.*)$`, 'm').exec(text)?.[1];
}

function argumentsOf(readonly: boolean, root: boolean, openFiles = 262_144): string[] {
  return virtiofsdArguments('/run/box/fs0.sock', { readonly }, { root, openFiles });
}

it('lets the guest remember no names where the server may have few files open', () => {
  const forgetful = ['--cache=never', '--allow-mmap'];
  expect(argumentsOf(false, true, 16_383)).toEqual(expect.arrayContaining(forgetful));
  expect(argumentsOf(false, true, 16_384).filter((word) => forgetful.includes(word))).toEqual([]);
});

it('keeps user ids for root, and squashes them for an ordinary user', () => {
  expect(argumentsOf(true, true)).toEqual([
    '--socket-path=/run/box/fs0.sock',
    '--shared-dir=/share',
    '--sandbox=chroot',
    '--seccomp=kill',
    '--log-level=error',
    '--rlimit-nofile=0',
    '--readonly',
    '--modcaps=-mknod:-setfcap',
  ]);
  expect(argumentsOf(false, false).slice(-3)).toEqual([
    '--modcaps=-mknod:-setfcap:-setuid:-setgid',
    '--translate-uid=squash-guest:0:0:4294967295',
    '--translate-gid=squash-guest:0:0:4294967295',
  ]);
});

it('confines virtiofsd to the shared directory, with six capabilities at most', async () => {
  await startVirtiofsd({ tag: 's', path: shared, readonly: false }, 0, servers(), never);
  const pid = await confinedServer();
  expect((await readdir(`/proc/${pid}/root/`)).sort()).toEqual(['a', 'b']);
  // CHOWN, DAC_OVERRIDE, FOWNER, FSETID; and SETGID, SETUID where they mean anything.
  expect(status(pid, 'CapEff')).toBe(uid === 0 ? '00000000000000db' : '000000000000001b');
  expect(status(pid, 'CapBnd')).toBe('0000000000000000');
  expect(status(pid, 'NoNewPrivs')).toBe('1');
});

it.each([
  { count: 1, files: 1_048_576 },
  { count: 3, files: 349_525 },
  { count: 20, files: 262_144 },
])(
  'lets each of $count servers hold $files files, or as many as the host lets it',
  async (each) => {
    const share = { tag: 's', path: shared, readonly: false };
    await startVirtiofsd(share, 0, servers(each.count), never);
    const limitsOf = (pid: string | number) =>
      parseHardLimits(readFileSync(`/proc/${pid}/limits`, 'utf8'));
    const most = Number(readFileSync('/proc/sys/fs/nr_open', 'utf8'));
    const raised = spawnSync('prlimit', [`--nofile=${most}`, '--', 'true']).status === 0;
    const own = limitsOf('self').get('nofile') ?? most;
    const limits = limitsOf(await confinedServer());
    expect(limits.get('nofile')).toBe(Math.min(each.files, raised ? most : own));
    expect(limits.get('data')).toBe(512 * 2 ** 20);
  },
);

it('starts a server on the processor of its box, and not on others', async () => {
  const share = { tag: 's', path: shared, readonly: false };
  await startVirtiofsd(share, 0, servers(20), never);
  const pid = await confinedServer();
  expect(status(pid, 'Cpus_allowed_list')).toMatch(/^\d+$/);
});

it('shares a single file under a fixed name, without its siblings', async () => {
  const link = join(root, 'link');
  await symlink(join(shared, 'b'), link);
  await startVirtiofsd({ tag: 's', path: link, readonly: false }, 0, servers(), never);
  const files = `/proc/${await confinedServer()}/root/`;
  expect(await readdir(files)).toEqual(['file']);
  expect(readFileSync(`${files}file`, 'utf8')).toBe('b');
});

it('enforces a read-only share by a read-only mount', async () => {
  await startVirtiofsd({ tag: 's', path: shared, readonly: true }, 0, servers(), never);
  const pid = await confinedServer();
  const mount = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[4] === '/');
  expect(mount?.split(' ')[5]).toMatch(/^ro,/);
  const touch = ['/usr/bin/touch', `/proc/${pid}/root/new`];
  expect(() => execFileSync(touch[0] ?? '', touch.slice(1), { stdio: 'pipe' })).toThrow(
    /Read-only file system/,
  );
});

it('keeps a directory of mounts itself from being written', async () => {
  const share = { tag: 's', path: shared, readonly: false, mountsBelow: true };
  await startVirtiofsd(share, 0, servers(), never);
  const made = `/proc/${await confinedServer()}/root/new`;
  expect(() => execFileSync('/usr/bin/touch', [made], { stdio: 'pipe' })).toThrow(/Read-only/);
});

it('refuses a link in a path that was resolved before', async () => {
  await mkdir(join(root, 'real'));
  await symlink(join(root, 'real'), join(root, 'link'));
  const share = { tag: 's', path: join(root, 'link'), readonly: true, resolved: true };
  const refused = startVirtiofsd(share, 0, servers(), never);
  await expect(refused).rejects.toMatchObject({ code: 'bind-source-changed' });
  expect(findProcesses(runtimeDir, isJailUid)).toEqual([]);
});

it('shares a resolved path by its descriptor, which the server does not inherit', async () => {
  const path = await realpath(shared);
  const share = { tag: 's', path, readonly: true, resolved: true };
  await startVirtiofsd(share, 0, servers(), never);
  const pid = await confinedServer();
  expect((await readdir(`/proc/${pid}/root/`)).sort()).toEqual(['a', 'b']);
  const open = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`)),
  );
  expect(open.filter((target) => target.startsWith(path))).toEqual([]);
});

it('refuses a missing share, and one that is neither directory nor file', async () => {
  const start = (path: string) =>
    startVirtiofsd({ tag: 's', path, readonly: true }, 0, servers(), never);
  await expect(start(join(root, 'missing'))).rejects.toMatchObject({ code: 'bind-source-missing' });
  const socket = createServer();
  await new Promise<void>((resolve) => socket.listen(join(root, 'x.sock'), resolve));
  await expect(start(join(root, 'x.sock'))).rejects.toMatchObject({ code: 'bind-source-missing' });
  await new Promise((resolve) => socket.close(resolve));
  expect(findProcesses(runtimeDir, isJailUid)).toEqual([]);
});
