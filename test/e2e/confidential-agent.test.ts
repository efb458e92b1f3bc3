// The agent of confidential guests against what a host tells it: one launch spec, which its own
// report has to cover, and nothing else. Secrets: hostile-host/secrets.test.ts, and
// native/agent/secrets.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, copyFile, cp, mkdir, mkdtemp, open, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type LaunchSpec, launchSpecText } from '@a3s-box/policies';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { readBootSet } from '../../src/boot/bootset.ts';
import type { QemuEngine } from '../../src/engine/qemu/qemu-engine.ts';
import type { Vm } from '../../src/engine/vm/vm.ts';
import type { VmSpec } from '../../src/engine/vm/vm-spec.ts';
import { connectGuest } from '../../src/guest/connection.ts';
import type { Guest } from '../../src/guest/guest.ts';
import { diskTree } from '../../src/images/verity/disk-tree.ts';
import { identityFor } from '../../src/jail/identity.ts';
import { itInSoak } from './it-where.ts';
import { closeEngines, openEngine } from './support/engines.ts';
import { scaled } from './time-scale.ts';

const run = promisify(execFile);
const ID = 'ca'.repeat(32);
const LAUNCH_MS = scaled(120_000);
const DIFF_ID = `sha256:${'d1'.repeat(32)}`;

let root: string;
let runtimeDir: string;
let engine: QemuEngine;
let layer: string;
let spec: LaunchSpec;
let described: Omit<VmSpec, 'confidential'>;
let commandLines: Record<'snp' | 'simulated', readonly string[]>;
let launchOf: (hostData: Uint8Array) => NonNullable<VmSpec['confidential']>;
let vm: Vm | undefined;
let guest: Guest | undefined;

const signal = (): AbortSignal => AbortSignal.timeout(LAUNCH_MS);
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** A layer with busybox and nothing else, and its tree behind it. */
async function makeLayer(): Promise<{ path: string; bytes: number; root: string }> {
  const tree = join(root, 'tree');
  await mkdir(join(tree, 'bin'), { recursive: true });
  await cp('/usr/bin/busybox', join(tree, 'bin', 'busybox'), { dereference: true });
  for (const name of ['sh', 'sleep', 'cat', 'echo', 'env', 'stat', 'true']) {
    await symlink('busybox', join(tree, 'bin', name));
  }
  const path = join(root, 'layer');
  await run('mkfs.erofs', ['-T0', '--all-root', path, tree]);
  const { bytes, root: hash } = await diskTree({ path, diffId: DIFF_ID, staging: root });
  await chmod(path, 0o444);
  return { path, bytes, root: hash };
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'agent-'));
  await chmod(root, 0o711);
  runtimeDir = join(root, 'box');
  const { confidential } = await readBootSet(process.env['A3S_BOOT'] ?? resolve('dist/boot'));
  if (confidential === undefined)
    throw new Error('the boot set has nothing for confidential boxes');
  const home = join(root, 'home');
  await mkdir(join(home, 'simulated'), { recursive: true, mode: 0o700 });
  // Three RSA keys need not be made.
  const state = join(home, 'simulated', 'processor.json');
  await copyFile('test/vectors/simulated/state.json', state);
  await chmod(state, 0o600);
  engine = openEngine({
    boot: undefined,
    cacheFile: join(home, 'accelerator.json'),
    runtimeDir: root,
  });
  const made = await makeLayer();
  layer = made.path;
  spec = {
    schema: 'a3s-box/launch-spec/v1',
    deployment: '',
    image: { manifestDigest: `sha256:${'a1'.repeat(32)}` },
    hostname: 'box',
    rootfs: {
      layers: [{ diffId: DIFF_ID, bytes: made.bytes, root: made.root }],
      changes: 'memory',
      readonly: false,
    },
    process: {
      args: ['sh', '-c', 'echo ready $GREETING; exec sleep 1000'],
      env: ['PATH=/bin', 'GREETING=hello'],
      cwd: '/',
      user: '',
      terminal: false,
      stdin: false,
    },
    stopSignal: 'SIGINT',
    network: 'none',
    confinement: {
      capabilities: [],
      noNewPrivileges: true,
      seccomp: 'default',
      maskedPaths: [],
      readonlyPaths: [],
    },
    resources: {},
    hostMay: ['logs'],
    secrets: [],
    secretsDeadline: 600,
    sealing: 'none',
  };
  commandLines = confidential.commandLines;
  described = {
    id: ID,
    runtimeDir,
    identity: identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []),
    cpus: 1,
    memoryBytes: 256 * 2 ** 20,
    boot: { ...confidential, commandLine: confidential.commandLines.simulated },
    disks: [{ path: layer, serial: 'layer-0', readonly: true }],
    nic: undefined,
    shares: [],
  };
  launchOf = (hostData) => ({
    tee: 'simulated',
    firmwarePath: confidential.firmwarePath,
    vcpuType: confidential.vcpuType,
    policy: confidential.policy,
    hostData: new Uint8Array(hostData),
    guestStatePath: join(home, 'guest.json'),
  });
});

afterEach(async () => {
  guest?.close();
  await vm?.kill();
  vm = undefined;
  guest = undefined;
  await engine.sweep(ID, runtimeDir);
  await rm(runtimeDir, { recursive: true, force: true });
});

afterAll(async () => {
  await closeEngines();
  await rm(root, { recursive: true });
});

/** A guest that was launched with that HOST_DATA, and has no spec yet. */
async function boot(
  hostData: Uint8Array,
  changes: Partial<VmSpec> = {},
): Promise<{ vm: Vm; guest: Guest }> {
  await mkdir(runtimeDir);
  const confidential = launchOf(hostData);
  vm = await engine.launch({ ...described, confidential, ...changes }, signal());
  guest = await connectGuest(vm, { signal: signal(), deadlineMs: LAUNCH_MS });
  return { vm, guest };
}

async function outputOf(from: Guest): Promise<string> {
  const reader = await from.output('main', 0);
  for await (const { data } of reader) {
    reader.close();
    return data.toString();
  }
  return '';
}

it('runs the box of its launch spec, and lets the host do what the spec permits', async () => {
  const text = launchSpecText(spec);
  const { vm, guest } = await boot(digest(text));
  const taken = await guest.putLaunchSpec(text);
  expect(taken.specDigest).toBe(digest(text).toString('hex'));
  expect(taken.instance).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  expect(await guest.putLaunchSpec(text)).toEqual(taken);
  expect(await guest.startMain()).toMatchObject({ state: 'running', pid: 1 });
  expect(await outputOf(guest)).toBe('ready hello\n');
  expect(await guest.secrets(0)).toMatchObject({ state: 'none', secrets: [] });

  const refused = { code: 'host-not-permitted' };
  const exec = { args: ['true'], env: [], cwd: '/', user: '', terminal: false, stdin: false };
  await expect(guest.startProcess('e1', exec)).rejects.toMatchObject(refused);
  await expect(guest.resize('main', { rows: 1, columns: 1 })).rejects.toMatchObject(refused);
  await expect(guest.stats()).rejects.toMatchObject(refused);
  await expect(guest.top()).rejects.toMatchObject(refused);
  await expect(guest.freeze()).rejects.toMatchObject(refused);
  await expect(guest.putResources({})).rejects.toMatchObject({ code: 'no-such-exec' });
  const networks = guest.putNetworks({ cards: [], nameservers: [], search: [] });
  await expect(networks).rejects.toMatchObject(refused);
  await expect(networks).rejects.toThrow('to choose the networks of the box');
  await expect(guest.signal('main', 'SIGHUP')).rejects.toMatchObject(refused);
  await expect(guest.putSpec({ mounts: [] } as never)).rejects.toMatchObject({
    code: 'no-such-exec',
  });

  const exit = guest.exit('main');
  await guest.signal('main', 'SIGKILL');
  expect(await exit).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
  await guest.poweroff();
  expect((await vm.exited).reason).toBe('poweroff');
});

itInSoak(
  'freezes a confidential box with permission for signals, and applies init and ulimits',
  async () => {
    const text = launchSpecText({
      ...spec,
      process: { ...spec.process, args: ['sh', '-c', 'ulimit -n; exec sleep 1000'] },
      resources: { ulimits: [{ name: 'nofile', soft: 50, hard: 60 }] },
      init: true,
      hostMay: ['logs', 'signals', 'stats'],
    });
    const { guest } = await boot(digest(text));
    await guest.putLaunchSpec(text);
    await guest.startMain();
    expect(await outputOf(guest)).toBe('50\n');
    await guest.freeze();
    await guest.signal('main', 'SIGTERM');
    expect((await guest.top())[0]).toMatchObject({ pid: 1, name: 'init' });
    expect((await guest.process('main')).state).toBe('running');
    await guest.thaw();
    expect(await guest.ended('main')).toMatchObject({ exitCode: 143, signal: null });
  },
);

it('ends, and gives the reason, when the host sends another launch spec', async () => {
  const { vm, guest } = await boot(digest(launchSpecText(spec)));
  const other = launchSpecText({ ...spec, hostMay: ['exec', 'logs'] });
  const refused = guest.putLaunchSpec(other);
  await expect(refused).rejects.toMatchObject({ code: 'launch-spec-mismatch' });
  await expect(refused).rejects.toThrow(digest(other).toString('hex'));
  guest.close();
  await vm.exited;
});

it('ends, and gives the reason, when one byte of a layer is changed', async () => {
  const text = launchSpecText(spec);
  const file = await open(layer, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, 1024);
    await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 1024);
    const { vm, guest } = await boot(digest(text));
    await expect(guest.putLaunchSpec(text)).rejects.toMatchObject({ code: 'verity-mismatch' });
    await file.write(byte, 0, 1, 1024);
    guest.close();
    await vm.exited;
  } finally {
    await file.close();
  }
});

it('refuses a simulated processor when its command line names a real one', async () => {
  const { kernelPath, initrdPath } = described.boot;
  const asReal = boot(digest(launchSpecText(spec)), {
    boot: { kernelPath, initrdPath, commandLine: commandLines.snp },
  });
  await expect(asReal).rejects.toMatchObject({ code: 'tee-unavailable' });
  await expect(asReal).rejects.toThrow('this is no SEV-SNP guest');
  await vm?.exited;
});
