import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { readBootSet } from '../../src/boot/bootset.ts';
import { findProcesses } from '../../src/engine/processes/processes.ts';
import type { QemuEngine, QemuEngineOptions } from '../../src/engine/qemu/qemu-engine.ts';
import type { Vm } from '../../src/engine/vm/vm.ts';
import type { VmSpec } from '../../src/engine/vm/vm-spec.ts';
import { connectGuest } from '../../src/guest/connection.ts';
import { identityFor, isJailUid, jailGroup } from '../../src/jail/identity.ts';
import { engineCache } from './installation.ts';
import { closeEngines, openEngine } from './support/engines.ts';
import { scaled } from './time-scale.ts';

const ID = 'e2'.repeat(32);
const LAUNCH_MS = scaled(60_000);
const uid = process.geteuid?.() ?? 0;
const identity = identityFor(uid, process.getegid?.() ?? 0, []);
const run = promisify(execFile);

let root: string;
let runtimeDir: string;
let options: QemuEngineOptions;
let engine: QemuEngine;
let spec: VmSpec;

beforeAll(async () => {
  const set = await readBootSet(process.env['A3S_BOOT'] ?? resolve('dist/boot'));
  const { kernelPath, initrdPath, commandLine } = set;
  const boot = { kernelPath, initrdPath, commandLine };
  // Short, since sockets lie in it.
  root = await mkdtemp(join(tmpdir(), 'engine-'));
  await chmod(root, 0o711);
  runtimeDir = join(root, 'box');
  options = { boot, cacheFile: engineCache(root), runtimeDir: root };
  engine = openEngine(options);
  const [layer, changes] = [join(root, 'layer'), join(root, 'changes')];
  await writeFile(layer, 'layer');
  await truncate(layer, 4096);
  await chmod(layer, 0o444);
  await writeFile(changes, '', { mode: 0o600 });
  await truncate(changes, 2 ** 26);
  await mkdir(join(root, 'shared'));
  spec = {
    id: ID,
    runtimeDir,
    identity,
    cpus: 1,
    memoryBytes: 256 * 2 ** 20,
    boot,
    disks: [
      { path: layer, serial: 'layer-0', readonly: true },
      { path: changes, serial: 'changes', readonly: false },
    ],
    nic: undefined,
    shares: [],
  };
});

afterEach(async () => {
  await engine.sweep(ID, runtimeDir);
  await rm(runtimeDir, { recursive: true, force: true });
});

afterAll(async () => {
  await closeEngines();
  await rm(root, { recursive: true });
});

async function launch(changes: Partial<VmSpec> = {}): Promise<Vm> {
  await mkdir(runtimeDir);
  return engine.launch({ ...spec, ...changes }, AbortSignal.timeout(LAUNCH_MS));
}

/** No process, no socket, no file. */
async function expectNothingLeft(): Promise<void> {
  expect(findProcesses(runtimeDir, isJailUid)).toEqual([]);
  expect(await readdir(runtimeDir)).toEqual([]);
}

it('boots to an answering agent, lets another process adopt the microVM, and ends with the guest', async () => {
  const port = await freePort();
  const vm = await launch({
    nic: {
      mac: '02:00:00:00:00:01',
      ports: [{ hostIp: '127.0.0.1', hostPort: port, boxPort: 80, protocol: 'tcp' }],
    },
    shares: [{ tag: 'share-0', path: join(root, 'shared'), readonly: true }],
  });
  const signal = AbortSignal.timeout(LAUNCH_MS);
  const guest = await connectGuest(vm, { signal, deadlineMs: LAUNCH_MS });
  const { hello } = guest;
  expect(hello).toMatchObject({ protocol: { minimum: 1 } });
  // Of its own: the host may run the same release of the kernel.
  const hostBoot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  expect(hello?.bootId).toMatch(/^[0-9a-f-]{36}$/);
  expect(hello?.bootId).not.toBe(hostBoot);
  const description = readFileSync(join(dirname(spec.boot.kernelPath), 'boot.json'), 'utf8');
  const { kernel }: { readonly kernel: { readonly release: string } } = JSON.parse(description);
  expect(hello?.kernel).toBe(kernel.release);

  // One stream at a time: the second ends the first.
  const first = await vm.connect(signal);
  const closed = new Promise((done) => first.once('close', done));
  const second = await vm.connect(signal);
  await closed;
  second.destroy();

  await guest.closed;
  await vm.pause();
  const later = connectGuest(vm, { signal, deadlineMs: LAUNCH_MS });
  await vm.resume();
  // The same agent, some time later.
  const uptimeUsec: unknown = expect.any(Number);
  expect((await later).hello).toEqual({ ...hello, uptimeUsec });

  const before = await vm.console();
  expect(before.length).toBeLessThanOrEqual(64 * 1024);
  expect((await vm.console()).subarray(0, before.length)).toEqual(before);

  await vm.release();
  const script = fileURLToPath(new URL('./support/adopt.ts', import.meta.url));
  const job = JSON.stringify({ options, id: ID, runtimeDir });
  const { stdout } = await run(process.execPath, [
    '--conditions=a3s-source',
    '--import',
    'tsx',
    script,
    job,
  ]);
  expect(JSON.parse(stdout)).toEqual({ pid: vm.pid, hello: { ...hello, uptimeUsec } });

  const adopted = await openEngine(options).adopt(ID, runtimeDir);
  if (adopted === undefined) throw new Error('the microVM is gone');
  expect(adopted.pid).toBe(vm.pid);
  const last = await connectGuest(adopted, { signal, deadlineMs: LAUNCH_MS });
  // The answer may be lost with the guest.
  await Promise.allSettled([last.poweroff()]);
  expect(await adopted.exited).toEqual({ reason: 'poweroff', detail: '' });
  expect((await adopted.console()).toString()).toContain('Power down');
  await expect(adopted.connect(signal)).rejects.toMatchObject({ code: 'vmm-failed' });
  await expectNothingLeft();
});

it('keeps the VMM in its jail, with the files of its box and no others', async () => {
  const vm = await launch();
  const status = readFileSync(`/proc/${vm.pid}/status`, 'utf8');
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    expect(status).toMatch(new RegExp(`^${set}:\t0+$`, 'm'));
  }
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(status).toMatch(/^Seccomp:\t2$/m);
  expect(status).toMatch(new RegExp(`^Uid:\t${identity.uid}\t${identity.uid}\t`, 'm'));
  // What the kernel keeps of whose process it is, and no process can change.
  if (uid === 0) {
    expect(status).toMatch(new RegExp(`^Groups:\t${jailGroup(runtimeDir)} *$`, 'm'));
  }
  const tree = readdirSync(`/proc/${vm.pid}/root/`);
  for (const hidden of [
    'boot',
    'home',
    'media',
    'mnt',
    'opt',
    'root',
    'run',
    'srv',
    'sys',
    'var',
  ].filter(notPartOf(root))) {
    expect(tree).not.toContain(hidden);
  }
  expect(readdirSync(`/proc/${vm.pid}/root${root}`)).toEqual(['box']);
  const files = readdirSync(`/proc/${vm.pid}/fd`)
    .map((fd) => readlinkSync(`/proc/${vm.pid}/fd/${fd}`))
    .filter((target) => target.startsWith('/') && !target.startsWith('/dev/'));
  const { kernelPath, initrdPath } = spec.boot;
  const own = [kernelPath, initrdPath, ...spec.disks.map(({ path }) => path)];
  expect(files.filter((file) => !own.includes(file))).toEqual([]);
  await vm.kill();
  expect(await vm.exited).toEqual({ reason: 'killed', detail: '' });
  await expectNothingLeft();
});

it('notices a VMM that is killed, and ends its helpers', async () => {
  const vm = await launch({ nic: { mac: '02:00:00:00:00:01', ports: [] } });
  process.kill(vm.pid, 'SIGKILL');
  expect(await vm.exited).toEqual({
    reason: 'crashed',
    detail: 'qemu ended: signal SIGKILL',
  });
  await expectNothingLeft();
  expect(await engine.adopt(ID, runtimeDir)).toBeUndefined();
});

it('keeps the console of a kernel panic, also while no server runs', async () => {
  const commandLine = [...spec.boot.commandLine, 'rdinit=/none', 'init=/none'];
  const vm = await launch({ boot: { ...spec.boot, commandLine } });
  await vm.release();
  const adopted = await engine.adopt(ID, runtimeDir);
  expect(await adopted?.exited).toMatchObject({
    reason: 'panic',
    detail: expect.stringContaining('Kernel panic - not syncing'),
  });
  expect((await adopted?.console())?.toString()).toContain('Kernel panic');
  await expectNothingLeft();
});

it('refuses a port that is already in use before anything starts', async () => {
  const server = createServer();
  const hostPort = await listen(server);
  const ports = [{ hostIp: '127.0.0.1', hostPort, boxPort: 80, protocol: 'tcp' as const }];
  await expect(launch({ nic: { mac: '02:00:00:00:00:01', ports } })).rejects.toMatchObject({
    code: 'port-in-use',
  });
  await expectNothingLeft();
  await new Promise((done) => server.close(done));
});

it('reports why a VMM could not start, and leaves nothing', async () => {
  const kernelPath = join(root, 'layer');
  await expect(launch({ boot: { ...spec.boot, kernelPath } })).rejects.toMatchObject({
    code: 'vmm-failed',
    message: expect.stringMatching(/qemu ended: .*kernel/),
  });
  await expectNothingLeft();
});

it('refuses a microVM larger than the host and a missing share, and leaves nothing', async () => {
  await expect(launch({ memoryBytes: 2 ** 50 })).rejects.toMatchObject({ code: 'out-of-memory' });
  await rm(runtimeDir, { recursive: true });
  const shares = [{ tag: 'share-0', path: join(root, 'missing'), readonly: true }];
  await expect(launch({ shares })).rejects.toMatchObject({ code: 'bind-source-missing' });
  await expectNothingLeft();
});

it('leaves nothing of an aborted launch', async () => {
  await mkdir(runtimeDir);
  const controller = new AbortController();
  const nic = { mac: '02:00:00:00:00:01', ports: [] };
  const launching = engine.launch({ ...spec, nic }, controller.signal);
  const reason = new Error('given up');
  await expect.poll(() => findProcesses(runtimeDir, isJailUid).length).toBeGreaterThan(0);
  controller.abort(reason);
  await expect(launching).rejects.toBe(reason);
  await expectNothingLeft();
});

/** @returns the port that it listens on */
async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((done) => server.close(done));
  return port;
}

function notPartOf(path: string): (name: string) => boolean {
  return (name) => path.split('/')[1] !== name;
}
