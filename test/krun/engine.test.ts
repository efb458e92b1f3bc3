import { readFileSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { bundleShim } from '../../native/krun/src/testing/shim-process.ts';
import {
  type LibraryBuild,
  smallestKernel,
  TestLibraries,
} from '../../native/krun/src/testing/test-library.ts';
import { retry } from '../../src/async/retry.ts';
import { KrunEngine } from '../../src/engine/krun/krun-engine.ts';
import { findProcesses } from '../../src/engine/processes/processes.ts';
import type { GuestBoot } from '../../src/engine/vm/guest-boot.ts';
import type { Vm } from '../../src/engine/vm/vm.ts';
import type { VmSpec } from '../../src/engine/vm/vm-spec.ts';
import { identityFor, isJailUid } from '../../src/jail/identity.ts';

const ID = 'a1'.repeat(32);
const DEADLINE_MS = 60_000;
const identity = identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []);

let root: string;
let runtimeDir: string;
let libraries: TestLibraries;
let shim: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'a3s-krun-engine-'));
  await chmod(root, 0o711);
  libraries = new TestLibraries();
  shim = await bundleShim(libraries.directory);
  for (const name of ['initrd', 'layer', 'changes']) {
    await writeFile(join(root, name), name, { mode: 0o644 });
  }
  await writeFile(join(root, 'kernel'), smallestKernel(), { mode: 0o644 });
  if (process.geteuid?.() === 0) await chown(join(root, 'changes'), identity.uid, identity.gid);
});

afterEach(async () => {
  for (const { pid } of findProcesses(runtimeDir, isJailUid)) process.kill(pid, 'SIGKILL');
  await rm(join(root, 'state'), { recursive: true, force: true });
});

afterAll(async () => {
  libraries[Symbol.dispose]();
  await rm(root, { recursive: true });
});

/** What its microVM does, whatever the shim's environment says. */
async function engineThat(run: string, build: Omit<LibraryBuild, 'defaults'> = {}) {
  runtimeDir = join(root, 'run', 'box');
  await mkdir(runtimeDir, { recursive: true });
  // In its jail it makes no file; its last disk is one that it may open again.
  const record = '/proc/self/fd/10';
  return engineWith(libraries.build({ ...build, defaults: { run, record } }));
}

function engineWith(library: string | undefined): KrunEngine {
  return new KrunEngine({
    library,
    boot: boot(),
    directory: join(root, 'state'),
    runtimeDir: join(root, 'run'),
    probeMs: DEADLINE_MS,
    program: shim,
    modules: resolve('node_modules'),
  });
}

function boot(): GuestBoot {
  return {
    kernelPath: join(root, 'kernel'),
    initrdPath: join(root, 'initrd'),
    commandLine: ['quiet', 'panic=-1'],
  };
}

function spec(more: Partial<VmSpec> = {}): VmSpec {
  return {
    ...{ id: ID, runtimeDir, identity, cpus: 2, memoryBytes: 256 * 2 ** 20, boot: boot() },
    disks: [
      { path: join(root, 'layer'), serial: 'layer-0', readonly: true },
      { path: join(root, 'changes'), serial: 'changes', readonly: false },
    ],
    ...{ nic: undefined, shares: [] },
    ...more,
  };
}

const launch = (engine: KrunEngine, more: Partial<VmSpec> = {}): Promise<Vm> =>
  engine.launch(spec(more), AbortSignal.timeout(DEADLINE_MS));

/** Some calls that the library got for the box. */
function calls(...names: readonly string[]): unknown[] {
  const content = readFileSync(join(root, 'changes'), 'utf8');
  const lines = content.slice('changes'.length).trim().split('\n');
  return lines
    .map((line): { call: string; arguments: unknown[] } => JSON.parse(line))
    .filter(({ call }) => names.includes(call))
    .map(({ call, arguments: [, ...rest] }) => [call, ...rest]);
}

async function echo(vm: Vm): Promise<string> {
  const stream = await vm.connect(AbortSignal.timeout(DEADLINE_MS));
  stream.write('hello');
  for await (const chunk of stream) return String(chunk);
  throw new Error('the stream has ended');
}

it('describes a microVM to libkrun, connects to its guest and ends it', async () => {
  const engine = await engineThat('wait');
  const vm = await launch(engine);
  expect(vm.pid).toBeGreaterThan(0);
  expect(await vm.size()).toEqual({ cpus: 2, memoryBytes: 256 * 2 ** 20 });
  const fd = (number: number) => `/proc/self/fd/${number}`;
  expect(calls('krun_set_vm_config', 'krun_set_kernel', 'krun_add_disk3')).toEqual([
    ['krun_set_vm_config', 2, 256],
    [
      'krun_set_kernel',
      fd(7),
      1,
      fd(8),
      'quiet panic=-1 pci=off nr_cpus=2 a3s.disks=layer-0,changes',
    ],
    ['krun_add_disk3', 'layer-0', fd(9), 0, true, false, 2],
    ['krun_add_disk3', 'changes', fd(10), 0, false, false, 2],
  ]);
  expect(await echo(vm)).toBe('hello');
  await vm.kill();
  expect(await vm.exited).toEqual({ reason: 'killed', detail: '' });
  expect(findProcesses(runtimeDir, isJailUid)).toEqual([]);
  expect(await readdir(join(root, 'state'))).toEqual(['kernels', 'probe.json']);
});

it('takes over a microVM that another server started, and learns how it ended', async () => {
  const engine = await engineThat('wait');
  const first = await launch(engine);
  await first.release();
  const vm = await engineWith(undefined).adopt(ID, runtimeDir);
  if (vm === undefined) throw new Error('it was not found');
  expect(vm.pid).toBe(first.pid);
  expect(await echo(vm)).toBe('hello');
  await vm.release();
  process.kill(vm.pid, 'SIGKILL');
  const gone = async () => findProcesses(runtimeDir, isJailUid).length === 0 || undefined;
  await retry(gone, AbortSignal.timeout(DEADLINE_MS));
  const late = await engineWith(undefined).adopt(ID, runtimeDir);
  expect(await late?.exited).toEqual({ reason: 'crashed', detail: 'libkrun died of signal 9' });
  expect(await engine.adopt(ID, runtimeDir)).toBeUndefined();
});

it('uses no library whose guest does not come up, and says why', async () => {
  const engine = await engineThat('return:22');
  const refused = {
    code: 'engine-unavailable',
    message: expect.stringMatching(/krun_start_enter.*EINVAL/),
  };
  await expect(engine.requireAvailable()).rejects.toMatchObject(refused);
  await expect(launch(engine)).rejects.toMatchObject(refused);
  expect(await engine.report()).toMatchObject({ available: false, name: 'krun' });
  // A failure is not kept: the next server probes again.
  expect(await readdir(join(root, 'state'))).toEqual(['kernels']);
  const missing = join(root, 'libkrun.so.1');
  await expect(engineWith(missing).requireAvailable()).rejects.toThrow(`there is no ${missing}`);
});

it.runIf(process.geteuid?.() === 0)('gives the VMM a disk that it writes', async () => {
  const engine = await engineThat('wait');
  const volume = join(root, 'volume');
  await writeFile(volume, 'volume', { mode: 0o600 });
  const disks = [...spec().disks, { path: volume, serial: 'volume-0', readonly: false }];
  const vm = await launch(engine, { disks });
  expect((await stat(volume)).uid).toBe(identity.uid);
  await vm.kill();
});

it('starts a file server of its own for each share, which libkrun connects to', async () => {
  const engine = await engineThat('wait', { vhostUser: true });
  await engine.requireShares('create a box with bind mounts or volumes');
  const shared = await mkdtemp(join(root, 'shared-'));
  const vm = await launch(engine, {
    shares: [{ tag: 'bind-0', path: shared, readonly: true }],
  });
  expect(calls('krun_add_vhost_user_device').at(-1)).toEqual([
    ...['krun_add_vhost_user_device', 26, join(runtimeDir, 'fs0.sock'), 'bind-0', 2, '80008000'],
  ]);
  const server = findProcesses(runtimeDir, isJailUid).find(
    ({ program }) => program === 'virtiofsd',
  );
  expect(server?.args).toContain('--tag=bind-0');
  await vm.kill();
  expect(findProcesses(runtimeDir, isJailUid)).toEqual([]);
});

it('refuses what libkrun, or this build of it, does not have', async () => {
  const engine = await engineThat('wait', { without: ['NET'] });
  const refused = { code: 'engine-unsupported', message: expect.stringContaining('krun') };
  const nic = { mac: '52:54:00:00:00:01', ports: [] };
  const disk = { path: join(root, 'layer'), serial: 'more', readonly: true };
  for (const more of [
    { nic },
    { nic: { ...nic, tap: 3 } },
    { shares: [{ tag: 'bind-0', path: root, readonly: true }] },
    { disks: Array.from({ length: 9 }, () => disk) },
    { disks: [{ ...disk, backing: [join(root, 'layer')] }] },
    { boot: { ...boot(), architecture: 'arm64' } },
    { memoryBytes: 4 * 2 ** 30 },
    { cpus: 255 },
  ] as const) {
    await expect(launch(engine, more), JSON.stringify(more)).rejects.toMatchObject(refused);
  }
  const mounts = engine.requireShares('create a box with bind mounts or volumes');
  await expect(mounts).rejects.toMatchObject(refused);
  const vm = await launch(engine);
  await expect(vm.pause()).rejects.toMatchObject(refused);
  await expect(vm.attachDisks('name', [disk])).rejects.toMatchObject(refused);
  await vm.kill();
});
