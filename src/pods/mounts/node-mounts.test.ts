import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { podShare } from '../../boxes/spec/pod-shape.ts';
import { startVirtiofsd } from '../../engine/helpers/virtiofsd.ts';
import { findProcesses } from '../../engine/processes/processes.ts';
import { endProcesses } from '../../engine/processes/sweep.ts';
import { prepareDirectory } from '../../engine/runtime-directory.ts';
import { identityFor, isJailUid } from '../../jail/identity.ts';
import { runProgram } from '../../networks/host/run-program.ts';
import { NodeMounts } from './node-mounts.ts';
import { mountName } from './pod-mounts.ts';

const [POD, WEB, JOB] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
];

describe.runIf(process.geteuid?.() === 0)('mounts of a pod', () => {
  let root: string;
  let volume: string;
  let mounts: NodeMounts;
  let seen: string;

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'a3s-mounts-'));
    volume = join(root, 'volume');
    mkdirSync(join(volume, 'below'), { recursive: true });
    writeFileSync(join(volume, 'file'), 'of the node');
    await runProgram('mount', ['-t', 'tmpfs', 'tmpfs', join(volume, 'below')]);
    mounts = nodeMounts();
    seen = await serve((await mounts.prepare(POD)) ?? '');
  });
  afterEach(async () => {
    await endProcesses(join(root, 'run'));
    await mounts.end(POD);
    expect(await mounts.list()).toEqual([]);
    // What was mounted is as it was.
    expect(readFileSync(join(volume, 'file'), 'utf8')).toBe('of the node');
    await runProgram('umount', [join(volume, 'below')]);
    expect(mounted()).not.toContain(root);
    rmSync(root, { recursive: true });
  });

  const nodeMounts = () => new NodeMounts(join(root, 'mounts'), () => join(root, 'run'));
  const mounted = () => readFileSync('/proc/self/mountinfo', 'utf8');

  /** Starts the file server of a pod, and returns its root as this process sees it. */
  async function serve(path: string): Promise<string> {
    const runtimeDir = join(root, 'run');
    mkdirSync(runtimeDir, { recursive: true });
    const identity = identityFor(0, 0, []);
    await prepareDirectory(runtimeDir, identity);
    const servers = { runtimeDir, identity, count: 1 };
    await startVirtiofsd(podShare(path), 0, servers, AbortSignal.timeout(10_000));
    const found = findProcesses(runtimeDir, isJailUid).find(
      ({ program }) => program === 'virtiofsd',
    );
    const status = () => readFileSync(`/proc/${found?.pid}/status`, 'utf8');
    await vi.waitFor(() => expect(status()).toContain('Seccomp:\t2'), { timeout: 10_000 });
    return `/proc/${found?.pid}/root`;
  }
  const mountOf = (hostPath: string, more = {}) => ({
    ...{ hostPath, containerPath: '/data', readonly: false, recursive: false, ...more },
  });
  const inside = (index: number, ...names: string[]) => join(seen, mountName(WEB, index), ...names);

  it('mounts paths in the file server that runs, writable or not, and unmounts them', async () => {
    const readonly = mountOf(volume, { readonly: true });
    const writable = await mounts.add(POD, WEB, [
      mountOf(volume),
      readonly,
      { ...readonly, recursive: true },
      mountOf(join(volume, 'file')),
    ]);
    expect(writable).toEqual([true, true, false, true]);
    await mounts.add(POD, JOB, [mountOf(volume)]);
    expect(readdirSync(seen)).toHaveLength(5);
    expect(readFileSync(inside(3), 'utf8')).toBe('of the node');
    writeFileSync(inside(0, 'new'), 'of the pod');
    expect(readFileSync(join(volume, 'new'), 'utf8')).toBe('of the pod');
    const write = (index: number, ...names: string[]) =>
      expect(() => writeFileSync(inside(index, ...names), ''));
    write(1, 'new').toThrow('EROFS');
    write(1, 'below', 'new').not.toThrow();
    write(2, 'new').toThrow('EROFS');
    write(2, 'below', 'new').toThrow('EROFS');
    await mounts.remove(POD, WEB);
    expect(readdirSync(seen)).toEqual([mountName(JOB, 0)]);
    const table = readFileSync(join(dirname(seen), 'mountinfo'), 'utf8');
    expect([table.includes(mountName(WEB, 0)), table.includes(mountName(JOB, 0))]).toEqual([
      false,
      true,
    ]);
    expect(existsSync(join(volume, 'below/new'))).toBe(true);
  });

  it('shows what kubelet replaces by the swap of a link', async () => {
    const secret = join(root, 'secret');
    const put = (version: string) => {
      mkdirSync(join(secret, `..${version}`), { recursive: true });
      writeFileSync(join(secret, `..${version}`, 'token'), version);
      symlinkSync(`..${version}`, join(secret, '..data_tmp'));
      renameSync(join(secret, '..data_tmp'), join(secret, '..data'));
    };
    put('first');
    symlinkSync('..data/token', join(secret, 'token'));
    await mounts.add(POD, WEB, [mountOf(secret, { readonly: true })]);
    expect(readFileSync(inside(0, 'token'), 'utf8')).toBe('first');
    put('second');
    expect(readFileSync(inside(0, 'token'), 'utf8')).toBe('second');
  });

  it('follows a path that is a link, to a directory or a file', async () => {
    const [link, fileLink] = [join(root, 'link'), join(root, 'file-link')];
    symlinkSync(volume, link);
    symlinkSync('link/file', fileLink);
    await mounts.add(POD, WEB, [mountOf(link), mountOf(fileLink)]);
    expect(readdirSync(inside(0))).toEqual(['below', 'file']);
    expect(readFileSync(inside(1), 'utf8')).toBe('of the node');
    // The link leads elsewhere: what is mounted stays.
    rmSync(link);
    symlinkSync('/', link);
    expect(readdirSync(inside(0))).toEqual(['below', 'file']);
  });

  it('shows a pod nothing that the node mounts later, though the volume is a shared mount', async () => {
    await runProgram('mount', ['--bind', volume, volume]);
    try {
      for (const propagation of ['--make-rprivate', '--make-rshared']) {
        await runProgram('mount', [propagation, volume]);
        mkdirSync(join(volume, 'later'));
        await mounts.add(POD, WEB, [mountOf(volume)]);
        await runProgram('mount', ['-t', 'tmpfs', 'tmpfs', join(volume, 'later')]);
        writeFileSync(join(volume, 'later/flag'), '');
        expect(readdirSync(inside(0, 'later'))).toEqual([]);
        // What was mounted before is there, also once the node has unmounted it.
        writeFileSync(inside(0, 'below/old'), '');
        expect(existsSync(join(volume, 'below/old'))).toBe(true);
        await runProgram('umount', [join(volume, 'later')]);
        rmdirSync(join(volume, 'later'));
        await mounts.remove(POD, WEB);
      }
    } finally {
      await runProgram('umount', ['--recursive', volume]);
    }
  });

  it('makes a directory that is missing, and refuses a socket', async () => {
    const missing = join(root, 'made/now');
    await mounts.add(POD, WEB, [mountOf(missing)]);
    expect(readdirSync(missing)).toEqual([]);
    const socket = createServer();
    await new Promise<void>((resolve) => socket.listen(join(root, 'x.sock'), resolve));
    await expect(mounts.add(POD, JOB, [mountOf(join(root, 'x.sock'))])).rejects.toMatchObject({
      code: 'bind-source-missing',
    });
    await new Promise((resolve) => socket.close(resolve));
  });

  it('lets directories of the node be removed, and shows no mount of a container there', async () => {
    const other = join(root, 'other');
    mkdirSync(join(other, 'below'), { recursive: true });
    await runProgram('mount', ['-t', 'tmpfs', 'tmpfs', join(other, 'below')]);
    writeFileSync(join(other, 'below/file'), 'of the node');
    await mounts.add(POD, WEB, [mountOf(other, { readonly: true }), mountOf(other)]);
    expect(mounted()).not.toContain(join(root, 'mounts'));
    await runProgram('umount', [join(other, 'below')]);
    expect(readFileSync(inside(0, 'below/file'), 'utf8')).toBe('of the node');
    rmdirSync(join(other, 'below'));
    rmdirSync(other);
    expect(readdirSync(inside(1))).toEqual([]);
  });

  it('unmounts what an earlier server has mounted, and nothing of the node', async () => {
    await mounts.add(POD, WEB, [mountOf(volume)]);
    await runProgram('mount', ['-t', 'tmpfs', 'tmpfs', join(volume, 'below')]);
    const next = nodeMounts();
    expect(await next.list()).toEqual([POD]);
    await next.remove(POD, WEB);
    expect(readdirSync(seen)).toEqual([]);
    await next.add(POD, WEB, [mountOf(volume)]);
    expect(readdirSync(inside(0))).toEqual(['below', 'file']);
    await next.end(POD);
    // Both are there still.
    await runProgram('umount', [join(volume, 'below')]);
  });

  it('takes over a pod of an earlier version, whose mounts are on the node', async () => {
    const own = join(root, 'mounts', JOB);
    const [points, shared] = [join(own, 'points'), join(own, 'shared')];
    mkdirSync(own);
    await runProgram('mount', ['--bind', own, own]);
    await runProgram('mount', ['--make-private', own]);
    for (const path of [points, shared]) mkdirSync(path);
    await runProgram('mount', ['--bind', '-o', 'ro', points, shared]);
    await runProgram('mount', ['--make-shared', shared]);
    for (const name of [mountName(WEB, 0), mountName(JOB, 0)]) {
      mkdirSync(join(points, name));
      await runProgram('mount', ['--rbind', volume, join(shared, name)]);
    }
    await endProcesses(join(root, 'run'));
    seen = await serve(shared);
    await mounts.remove(JOB, WEB);
    expect(readdirSync(seen)).toEqual([mountName(JOB, 0)]);
    const before = mounted();
    await mounts.add(JOB, WEB, [mountOf(volume)]);
    expect(mounted()).toBe(before);
    expect(readdirSync(inside(0))).toEqual(['below', 'file']);
    await endProcesses(join(root, 'run'));
    await mounts.end(JOB);
    expect(mounted()).not.toContain(own);
  });

  it('mounts nothing without the file server, nor for a program of its name', async () => {
    await endProcesses(join(root, 'run'));
    const named = 'exec -a virtiofsd tail -f /dev/null "$0/fs0.sock"';
    const other = spawn('bash', ['-c', named, join(root, 'run')], { stdio: 'ignore' });
    await vi.waitFor(() =>
      expect(findProcesses(join(root, 'run'), isJailUid)).toMatchObject([{ program: 'virtiofsd' }]),
    );
    const before = mounted();
    await expect(mounts.add(POD, WEB, [mountOf(volume)])).rejects.toMatchObject({
      code: 'vmm-failed',
    });
    expect(mounted()).toBe(before);
    other.kill();
  });

  it('keeps the guest from making anything beside the mounts, such as links in their place', async () => {
    expect(() => symlinkSync('/', inside(0))).toThrow('EROFS');
    expect(() => mkdirSync(inside(0))).toThrow('EROFS');
    await mounts.add(POD, WEB, [mountOf(volume)]);
    expect(() => symlinkSync('/', inside(1))).toThrow('EROFS');
    writeFileSync(inside(0, 'new'), '');
  });

  it('never removes a mount point with what is in it', async () => {
    await mounts.prepare(POD);
    const points = join(root, 'mounts', POD, 'points');
    mkdirSync(join(points, 'x'));
    writeFileSync(join(points, 'x/precious'), '');
    await expect(mounts.end(POD)).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    rmSync(join(points, 'x/precious'));
    rmdirSync(join(points, 'x'));
    writeFileSync(join(points, 'precious'), 'x');
    await expect(mounts.end(POD)).rejects.toMatchObject({ code: 'internal' });
    rmSync(join(points, 'precious'));
  });
});
