// The agent of confidential guests against what a host says about the containers of a pod: those
// that its launch spec names, as it says, and no others.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, copyFile, cp, mkdir, mkdtemp, open, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import {
  CONTAINER_REQUEST_SCHEMA,
  type ContainerRequest,
  type LaunchedContainer,
  type PodLaunchSpec,
  podLaunchSpecText,
} from '@a3s-box/policies';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { readBootSet } from '../../src/boot/bootset.ts';
import { ANY_ANSWER, QmpClient } from '../../src/engine/qemu/monitor/qmp.ts';
import type { QemuEngine } from '../../src/engine/qemu/qemu-engine.ts';
import type { Vm } from '../../src/engine/vm/vm.ts';
import type { VmSpec } from '../../src/engine/vm/vm-spec.ts';
import { connectGuest } from '../../src/guest/connection.ts';
import type { Guest } from '../../src/guest/guest.ts';
import type { GuestContainer } from '../../src/guest/guest-container.ts';
import { diskTree } from '../../src/images/verity/disk-tree.ts';
import { identityFor } from '../../src/jail/identity.ts';
import { until } from './processes.ts';
import { closeEngines, openEngine } from './support/engines.ts';
import { scaled } from './time-scale.ts';

const run = promisify(execFile);
const ID = 'cb'.repeat(32);
const LAUNCH_MS = scaled(120_000);
const DIFF_ID = `sha256:${'d1'.repeat(32)}`;
const IMAGE = { manifestDigest: `sha256:${'a1'.repeat(32)}` };

let root: string;
let runtimeDir: string;
let engine: QemuEngine;
let layer: string;
let spec: PodLaunchSpec;
let described: Omit<VmSpec, 'confidential'>;
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
  for (const name of ['sh', 'sleep', 'cat', 'echo', 'env', 'ls', 'touch', 'hostname', 'readlink']) {
    await symlink('busybox', join(tree, 'bin', name));
  }
  const path = join(root, 'layer');
  await run('mkfs.erofs', ['-T0', '--all-root', path, tree]);
  const { bytes, root: hash } = await diskTree({ path, diffId: DIFF_ID, staging: root });
  await chmod(path, 0o444);
  return { path, bytes, root: hash };
}

function container(name: string, script: string, hash: string, bytes: number): LaunchedContainer {
  return {
    name,
    image: IMAGE,
    rootfs: {
      layers: [{ diffId: DIFF_ID, bytes, root: hash }],
      changes: 'memory',
      readonly: false,
    },
    process: {
      args: ['sh', '-c', script],
      env: ['GREETING=hello', 'PATH=/bin'],
      cwd: '/',
      user: '',
      terminal: false,
      stdin: false,
    },
    stopSignal: 'SIGINT',
    confinement: {
      capabilities: [],
      noNewPrivileges: true,
      seccomp: 'default',
      maskedPaths: [],
      readonlyPaths: [],
    },
    resources: { memoryBytes: 64 * 2 ** 20 },
    hostEnv: ['KUBERNETES_PORT'],
    ignoredMounts: ['/etc/hosts'],
  };
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pod-'));
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
  const of = (name: string, script: string) => container(name, script, made.root, made.bytes);
  spec = {
    schema: 'a3s-box/pod-launch-spec/v1',
    deployment: '',
    hostname: 'pod',
    network: 'none',
    resources: {},
    hostMay: ['exec', 'logs'],
    secrets: [],
    secretsDeadline: 600,
    sealing: 'none',
    containers: [
      of('db', 'echo there >/dev/shm/file; touch /own; exec sleep 1000'),
      of('web', 'env; hostname; exec sleep 1000'),
    ],
  };
  described = {
    id: ID,
    runtimeDir,
    identity: identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []),
    cpus: 1,
    memoryBytes: 256 * 2 ** 20,
    boot: { ...confidential, commandLine: confidential.commandLines.simulated },
    disks: [],
    sparePorts: 13,
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

/** A pod that has taken its launch spec. */
async function boot(): Promise<{ vm: Vm; guest: Guest }> {
  const text = podLaunchSpecText(spec);
  await mkdir(runtimeDir);
  vm = await engine.launch({ ...described, confidential: launchOf(digest(text)) }, signal());
  guest = await connectGuest(vm, { signal: signal(), deadlineMs: LAUNCH_MS });
  const taken = await guest.putLaunchSpec(text);
  expect(taken.specDigest).toBe(digest(text).toString('hex'));
  return { vm, guest };
}

/** What Kubernetes asks for, as the launch spec has it. */
function requestFor(name: string): ContainerRequest {
  const named = spec.containers.find((each) => each.name === name);
  if (named === undefined) throw new Error(`no container ${name}`);
  const { capabilities, noNewPrivileges, seccomp } = named.confinement;
  return {
    schema: CONTAINER_REQUEST_SCHEMA,
    container: name,
    image: named.image,
    process: named.process,
    stopSignal: named.stopSignal,
    confinement: { capabilities, noNewPrivileges, seccomp },
    readonlyRootfs: named.rootfs.readonly,
    resources: { memoryBytes: named.resources.memoryBytes },
    mounts: [],
  };
}

async function attach(to: Vm, index: number, path = layer): Promise<void> {
  await to.attachDisks(`c${index}`, [{ path, serial: `c${index}-l0`, readonly: true }]);
}

async function outputOf(from: GuestContainer, bytes: RegExp): Promise<string> {
  const reader = await from.output('main', 0);
  let text = '';
  for await (const { data } of reader) {
    text += data.toString();
    if (bytes.test(text)) break;
  }
  reader.close();
  return text;
}

async function exec(to: GuestContainer, script: string): Promise<string> {
  const args = ['sh', '-c', script];
  const process = { args, env: ['PATH=/bin'], cwd: '/', user: '', terminal: false, stdin: false };
  const { output } = await to.launch(`e${Date.now()}`, process, signal());
  let text = '';
  for await (const { data } of output) text += data.toString();
  return text;
}

/** Devices for which Debian's kernel has drivers. */
const FOREIGN: readonly Record<string, unknown>[] = [
  { driver: 'nvme', serial: 'x' },
  { driver: 'pci-serial' },
  ...['virtio-serial-pci', 'virtio-rng-pci'].map((driver) => ({ driver, 'disable-legacy': 'on' })),
];
const DRIVERS =
  'cd /sys/bus/pci; ls drivers; for d in devices/*:00.0; do [ "$d" \\> devices/0000:01 ] && echo $(cat $d/device) $(readlink $d/driver); done; ls -d ../virtio/devices/*';

it('runs the containers that the launch spec of a pod names, whose layers come while it runs', async () => {
  const execute = vi.spyOn(QmpClient.prototype, 'execute');
  const { vm, guest } = await boot();
  const [monitor] = execute.mock.contexts;
  execute.mockRestore();
  const [db, web] = [guest.container('db1'), guest.container('web1')];
  await attach(vm, 0);
  await db.request(requestFor('db'));
  expect(await db.startMain()).toMatchObject({ state: 'running', pid: 1 });
  // Beside layers, a host attaches what the guest has no use for.
  for (const [index, device] of FOREIGN.entries()) {
    const args = { ...device, id: `foreign${index}`, bus: `rp${8 + index}` };
    await (monitor as QmpClient).execute('device_add', args, ANY_ANSWER);
  }
  // The layers may come after the request.
  const asked = requestFor('web');
  const env = [...asked.process.env, 'KUBERNETES_PORT=tcp://10.0.0.1:443'];
  const taken = web.request({
    ...asked,
    process: { ...asked.process, env },
    mounts: ['/etc/hosts'],
  });
  await attach(vm, 1);
  await taken;
  await web.startMain();
  const said = await outputOf(web, /pod\n/);
  expect(said).toContain('GREETING=hello\n');
  expect(said).toContain('KUBERNETES_PORT=tcp://10.0.0.1:443\n');
  // Shared memory is the pod's, and files are the container's.
  expect(await exec(web, 'cat /dev/shm/file; ls /own 2>/dev/null || echo none; ls /run/a3s')).toBe(
    'there\nnone\nagent.sock\n',
  );
  // It has looked for devices since, and found them all: two disks alone have drivers.
  const disk = '0x1042 ../../../../bus/pci/drivers/virtio-pci';
  expect((await exec(web, DRIVERS)).trim().split('\n')).toEqual([
    'virtio-pci',
    ...[disk, disk, '0x0010', '0x0002', '0x1043', '0x1044'],
    ...[0, 1, 2, 3].map((index) => `../virtio/devices/virtio${index}`),
  ]);

  // It starts again from the same disks, with nothing of what it had.
  await db.signal('main', 'SIGKILL');
  expect(await db.exit('main')).toMatchObject({ exitCode: 137 });
  await expect(guest.container('db2').request(requestFor('db'))).rejects.toMatchObject({
    guestCode: 'conflict',
  });
  await guest.container('db2').remove();
  await db.remove();
  const again = guest.container('db2');
  await again.request(requestFor('db'));
  await again.startMain();
  await until('it runs again', async () => (await exec(again, 'ls /own 2>&1')) === '/own\n');
  expect((await guest.containers()).map(({ id }) => id)).toEqual(['db2', 'web1']);
  await guest.poweroff();
  expect((await vm.exited).reason).toBe('poweroff');
});

it('refuses in the guest what the launch spec of its pod does not name', async () => {
  const { vm, guest } = await boot();
  await attach(vm, 0);
  await attach(vm, 1);
  const web = requestFor('web');
  const process = (change: object) => ({ ...web, process: { ...web.process, ...change } });
  const others: [rule: string, request: ContainerRequest][] = [
    ['containers', { ...web, container: 'miner' }],
    ['containers.image', { ...web, image: { manifestDigest: `sha256:${'0'.repeat(64)}` } }],
    ['containers.process.args', process({ args: ['sh', '-c', 'cat /run/secrets/*'] })],
    ['containers.process.env', process({ env: [...web.process.env, 'LD_PRELOAD=/x.so'] })],
    ['containers.process.env', process({ env: ['GREETING=bye', 'PATH=/bin'] })],
    ['containers.process.user', process({ user: '1' })],
    ['containers.ignoredMounts', { ...web, mounts: ['/etc/passwd'] }],
    [
      'containers.confinement.seccomp',
      { ...web, confinement: { ...web.confinement, seccomp: 'unconfined' } },
    ],
  ];
  for (const [index, [rule, request]] of others.entries()) {
    const asked = guest.container(`x${index}`);
    await expect(asked.request(request)).rejects.toMatchObject({
      ...{ code: 'host-not-permitted', guestCode: 'container-not-permitted', rule },
    });
    await expect(asked.startMain()).rejects.toMatchObject({ code: 'agent-failed' });
    await asked.remove();
  }
  // A plain container, and what no container may.
  await expect(guest.container('y').put({ mounts: [] } as never)).rejects.toMatchObject({
    code: 'invalid-argument',
  });
  await guest.container('y').remove();
  const one = guest.container('one');
  await one.request(web);
  await one.startMain();
  await expect(one.putResources({})).rejects.toMatchObject({ code: 'no-such-exec' });
  await expect(one.stats()).rejects.toMatchObject({ code: 'host-not-permitted' });
  await expect(one.signal('main', 'SIGHUP')).rejects.toMatchObject({ code: 'host-not-permitted' });
  await expect(guest.dialPort(80)).rejects.toMatchObject({ code: 'no-such-exec' });
  await expect(guest.startMain()).rejects.toMatchObject({ code: 'conflict' });
  expect((await guest.containers()).map(({ id }) => id)).toEqual(['one']);
});

it('reads no layer of a container that another one was put in the place of', async () => {
  const { vm, guest } = await boot();
  const path = join(root, 'other');
  await copyFile(layer, path);
  await chmod(path, 0o644);
  const file = await open(path, 'r+');
  await file.write(Buffer.from([0xff]), 0, 1, 1024);
  await file.close();
  await attach(vm, 0, path);
  const db = guest.container('db1');
  await expect(db.request(requestFor('db'))).rejects.toMatchObject({ code: 'verity-mismatch' });
});
