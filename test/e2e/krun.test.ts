// Boxes of the engine krun, up to libkrun itself: in its place is a library with its ABI that boots
// the described microVM in QEMU.
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  readRecord,
  SHIM_ENVIRONMENT,
  type ShimDescription,
  shimCommand,
} from '@a3s-box/krun/shim';
import { BOX_SPEC_SCHEMA, type BoxSpec } from '@a3s-box/policies';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleShim } from '../../native/krun/src/testing/shim-process.ts';
import { TestLibraries } from '../../native/krun/src/testing/test-library.ts';
import { retry } from '../../src/async/retry.ts';
import { readBootSet } from '../../src/boot/bootset.ts';
import { CONTROL_PORT } from '../../src/engine/control-port-name.ts';
import { kernelWithTables } from '../../src/engine/krun/acpi/kernel-with-tables.ts';
import { findProcesses } from '../../src/engine/processes/processes.ts';
import { openSocket } from '../../src/engine/socket.ts';
import { connectGuest } from '../../src/guest/connection.ts';
import { identityFor, isJailUid, jailGroup } from '../../src/jail/identity.ts';
import { spawnInJail } from '../../src/jail/spawn.ts';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { makeLayer, processOf } from './support/busybox-guest.ts';
import { within } from './support/within.ts';
import { scaled } from './time-scale.ts';

const DEADLINE_MS = 240_000;
/** The number that the agent's protocol will have; this library maps it to a serial port. */
const PORT = 1024;
/** koffi, as it is installed. */
const MODULES = resolve('dist/node_modules');
const identity = identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []);

const BOX: BoxSpec = {
  schema: BOX_SPEC_SCHEMA,
  hostname: 'box',
  rootfs: { layers: [{ serial: 'layer-0' }], changes: { kind: 'memory' }, readonly: false },
  process: processOf(['sh', '-c', 'echo from the box; exit 3']),
  mounts: [],
  network: { kind: 'none' },
  confinement: {
    capabilities: [],
    noNewPrivileges: false,
    seccomp: 'default',
    maskedPaths: [],
    readonlyPaths: [],
  },
  resources: {},
};

let root: string;
let runtimeDir: string;
let libraries: TestLibraries;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'krun-'));
  await chmod(root, 0o711);
  runtimeDir = join(root, 'box');
  await mkdir(runtimeDir, { mode: 0o700 });
  if (process.geteuid?.() === 0) await chown(runtimeDir, identity.uid, identity.gid);
  libraries = new TestLibraries();
});

afterAll(async () => {
  for (const { pid } of findProcesses(runtimeDir, isJailUid)) process.kill(pid, 'SIGKILL');
  libraries[Symbol.dispose]();
  await rm(root, { recursive: true });
});

/** Starts the shim in a jail that sees its runtime directory, and nothing of the boot set. */
async function startShim() {
  const set = await readBootSet(process.env['A3S_BOOT'] ?? resolve('dist/boot'));
  const kernel = await open(await kernelWithTables(set.kernelPath, join(root, 'kernels')));
  const initrd = await open(set.initrdPath);
  const layer = await open(await makeLayer(root, ['sh', 'echo']));
  const record = await open(join(root, 'run'), 'a+');
  const status = await open(join(root, 'status'), 'a+', 0o600);
  const console = await open(join(root, 'console'), 'w+');
  const files = [record, status, console, kernel, initrd, layer];
  const pathOf = (file: (typeof files)[number]) => `/proc/self/fd/${4 + files.indexOf(file)}`;
  const description: ShimDescription = {
    version: 1,
    variant: 'krun',
    library: libraries.build(),
    vcpus: 2,
    memoryMib: 256,
    boot: {
      kind: 'kernel',
      path: pathOf(kernel),
      format: 'elf',
      initrd: pathOf(initrd),
      commandLine: [...set.commandLine, 'pci=off', 'nr_cpus=2', 'a3s.disks=layer-0'].join(' '),
    },
    disks: [{ id: 'layer-0', path: pathOf(layer), format: 'raw', readonly: true }],
    shares: [],
    networkDevices: [],
    ports: [{ port: PORT, path: join(runtimeDir, 'ctl.sock'), listen: true }],
    tsi: [],
    console: { device: 'serial', file: 4 + files.indexOf(console) },
  };
  await writeFile(join(root, 'description'), JSON.stringify(description));
  const input = await open(join(root, 'description'));
  const shim = await bundleShim(libraries.directory);
  const child = await spawnInJail({
    ...shimCommand(shim, [runtimeDir], '/usr/bin/node'),
    identity,
    group: jailGroup(runtimeDir),
    stdio: ['ignore', 'ignore', 'pipe', input.fd, ...files.map(({ fd }) => fd)],
    writable: [runtimeDir],
    readable: [libraries.directory, MODULES],
    network: false,
    outlives: true,
    limits: { openFiles: 1024 },
    environment: {
      ...SHIM_ENVIRONMENT,
      ...libraries.environment({ run: 'boot', serialName: CONTROL_PORT }),
      A3S_KRUN_TEST_RECORD: join(runtimeDir, 'calls'),
      NODE_PATH: MODULES,
    },
  });
  for (const file of [input, ...files]) await file.close();
  return child;
}

it('boots a box through koffi and the shim, in a jail, and learns how the microVM ended', async () => {
  const child = await startShim();
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exited = new Promise<{ reason: 'crashed'; detail: string }>((settle) => {
    child.once('close', () => {
      settle({ reason: 'crashed', detail: errors });
    });
  });
  const vm = {
    connect: (signal: AbortSignal) => connect(signal),
    console: () => readFile(join(root, 'console')),
    exited,
  };
  const signal = AbortSignal.timeout(scaled(DEADLINE_MS));
  const guest = await connectGuest(vm, { signal, deadlineMs: scaled(DEADLINE_MS) });
  await guest.putSpec(BOX);
  await guest.startMain();
  let output = '';
  for await (const chunk of await guest.output('main', 0)) output += chunk.data.toString();
  expect(output).toBe('from the box\n');
  expect(await guest.ended('main')).toMatchObject({ exitCode: 3 });
  await guest.poweroff();
  guest.close();
  await within('the end of the shim', exited);
  const [shim = '', monitor = ''] = await Promise.all(
    ['run', 'status'].map(async (name) => await readFile(join(root, name), 'utf8')),
  );
  const { entering, failed, status } = readRecord(shim, monitor);
  expect({ failed, status }).toEqual({ failed: undefined, status: 0 });
  expect(entering).toMatchObject({ atLeast: '1.19.0' });
  expect(findProcesses(runtimeDir, isJailUid)).toEqual([]);
});

/** The library makes the socket some time after the start. */
async function connect(signal: AbortSignal) {
  return await retry(() => openSocket(join(runtimeDir, 'ctl.sock')), signal);
}

/** Each layer replaces the file of the one below. */
const LAYERED = 'test/layered:1';
function layeredImage() {
  const { layers, ...image } = busyboxImage(LAYERED);
  const above = ['lower\n', 'upper\n'].map((data) => [{ path: 'which', data }]);
  return buildImage({ ...image, layers: [...layers, ...above] });
}

describe.each(ANY_ACTOR)('the engine krun, for %s', (name) => {
  let installation: Installation;
  let actor: Actor;
  let env: Record<string, string>;

  beforeAll(async () => {
    installation = await install();
    actor = new Actor(name, installation);
    const library = libraries.build({
      vhostUser: true,
      defaults: { run: 'boot', serialName: CONTROL_PORT },
    });
    env = { A3S_KRUN_LIBRARY: library, A3S_KVM_TIMEOUT: '120' };
    await actor.ok(['load', '-i', installation.archives.busybox], { env });
  });
  afterAll(async () => {
    await actor.leave();
    installation.remove();
  });

  const ok = (args: readonly string[]) => actor.ok(args, { env, deadlineMs: DEADLINE_MS });
  const inspect = async () => JSON.parse(await ok(['inspect', 'box']))[0];

  it('runs a box to its exit code, also past a restart of the server, and leaves nothing', async () => {
    const script = 'echo from the box; mkfifo /go; read code < /go; exit $code';
    const ports = ['-p', '127.0.0.1::8080'];
    await ok([
      'run',
      '-d',
      '--engine',
      'krun',
      '--name',
      'box',
      ...ports,
      BUSYBOX,
      'sh',
      '-c',
      script,
    ]);
    expect(await inspect()).toMatchObject({
      Engine: { Name: 'krun', Reason: 'named when it was created' },
      Machine: { Start: 'cold' },
      State: { Status: 'running' },
      Jail: { Capabilities: false, NoNewPrivileges: true, SystemCallFilters: 1 },
    });
    await until('it writes', async () => (await ok(['logs', 'box'])) === 'from the box');
    const failing = await actor.run(['exec', 'box', 'sh', '-c', 'echo in it; exit 4'], { env });
    expect(failing).toMatchObject({ code: 4, stdout: 'in it\n' });
    await ok(['exec', '-d', 'box', 'httpd', '-f', '-p', '8080', '-h', '/etc']);
    const published = await ok(['port', 'box', '8080']);
    await until('the published port answers', async () => {
      const answer = await fetch(`http://${published}/hostname`).catch(() => undefined);
      return answer?.status === 200;
    });

    const refused = await actor.run(['snapshot', 'create', 'box'], { env });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('the engine krun saves neither the memory nor the disk');

    const { Pid } = (await inspect()).State;
    expect(Pid).toBeGreaterThan(0);
    await actor.killServer();
    expect((await inspect()).State).toMatchObject({ Status: 'running', Pid });
    await ok(['exec', 'box', 'sh', '-c', 'rm -f /kept; echo 6 > /kept; sync; echo 6 > /go']);
    expect(await ok(['wait', 'box'])).toBe('6');

    await ok(['start', 'box']);
    expect(await ok(['exec', 'box', 'cat', '/kept'])).toBe('6');
    await ok(['stop', '--time', '0', 'box']);
    expect((await inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 137 });
    await ok(['rm', 'box']);
    expect(actor.boxProcesses()).toEqual([]);
    expect(await readdir(join(actor.home, 'krun'))).toEqual(['kernels', 'probe.json']);
    expect(await readdir(join(actor.home, 'boxes'))).toEqual([]);
  });

  it('gives a box directories of the host and volumes, as their owners have them', async () => {
    const shared = join(actor.directory, 'shared');
    await mkdir(shared);
    actor.own(shared);
    await writeFile(join(shared, 'given'), 'of the host');
    const script = [
      'cat /shared/given; cp /shared/given /shared/made; cp /shared/given /volume/kept',
      'cat /readonly/given; touch /readonly/refused 2> /dev/null || echo refused',
    ].join('; ');
    const mounts = [
      '-v',
      `${shared}:/shared`,
      '-v',
      `${shared}:/readonly:ro`,
      '-v',
      'data:/volume',
    ];
    const shape = ['--engine', 'krun', '--network', 'none', '--rm', ...mounts];
    const output = await ok(['run', ...shape, BUSYBOX, 'sh', '-c', script]);
    expect(output).toBe('of the hostof the hostrefused');
    const [given, made] = [await stat(shared), await stat(join(shared, 'made'))];
    expect([made.uid, made.gid]).toEqual([given.uid, given.gid]);
    const again = ['--engine', 'krun', '--network', 'none', '--rm', '-v', 'data:/volume'];
    expect(await ok(['run', ...again, BUSYBOX, 'cat', '/volume/kept'])).toBe('of the host');
    await ok(['volume', 'rm', 'data']);
    expect(actor.boxProcesses()).toEqual([]);
  });

  it('runs a box of doctor’s own on libkrun', async () => {
    const { stdout } = await actor.run(['doctor', '--format', 'json'], {
      env,
      deadlineMs: DEADLINE_MS,
    });
    const { selfTests } = JSON.parse(stdout);
    const engines = selfTests.map(({ engine }: { engine: string }) => engine);
    expect(engines).toEqual(['qemu', 'qemu', 'krun']);
    expect(selfTests[2]).toMatchObject({
      engine: 'krun',
      result: { kernel: expect.stringMatching(/^\d+\./) },
    });
    expect(actor.boxProcesses()).toEqual([]);
  });

  it('finds layers in their order, and processors, and ends a workload that stops by itself', async () => {
    const archive = join(root, `layered-${name}.tar`);
    await writeFile(archive, dockerArchive([layeredImage()]), { mode: 0o644 });
    await ok(['load', '-i', archive]);
    const script = 'trap "exit 7" TERM; cat /which; nproc; echo ready; while :; do sleep 1; done';
    const shape = ['--engine', 'krun', '--cpus', '2', '--network', 'none', '--name', 'box'];
    await ok(['run', '-d', ...shape, LAYERED, 'sh', '-c', script]);
    await until('it is ready', async () => (await ok(['logs', 'box'])).endsWith('ready'));
    expect(await ok(['logs', 'box'])).toBe('upper\n2\nready');
    await ok(['stop', 'box']);
    expect((await inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 7 });
    await ok(['rm', 'box']);
  });
});
