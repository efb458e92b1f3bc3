import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmod,
  chown,
  copyFile,
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  readdir,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { readBootSet } from '../../src/boot/bootset.ts';
import { findProcesses } from '../../src/engine/processes/processes.ts';
import type { QemuEngine } from '../../src/engine/qemu/qemu-engine.ts';
import type { GuestBoot } from '../../src/engine/vm/guest-boot.ts';
import type { Template } from '../../src/engine/vm/template.ts';
import type { Vm } from '../../src/engine/vm/vm.ts';
import type { VmSpec } from '../../src/engine/vm/vm-spec.ts';
import { connectGuest } from '../../src/guest/connection.ts';
import type { Guest } from '../../src/guest/guest.ts';
import { ENTROPY_BYTES } from '../../src/guest/protocol.ts';
import { identityFor, isJailUid } from '../../src/jail/identity.ts';
import { checkClockRate, WrongClock } from '../../src/templates/make/clock-rate.ts';
import { engineCache } from './installation.ts';
import { runContainers } from './support/containers.ts';
import { closeEngines, openEngine } from './support/engines.ts';
import { scaled } from './time-scale.ts';

const LAUNCH_MS = scaled(60_000);
const uid = process.geteuid?.() ?? 0;
const gid = process.getegid?.() ?? 0;
const identity = identityFor(uid, gid, []);
const run = promisify(execFile);

let root: string;
let engine: QemuEngine;
let boot: GuestBoot;
let ram: FileHandle;
let template: Template;
const at = (...names: string[]): string => join(root, ...names);
const running: Vm[] = [];

beforeAll(async () => {
  boot = await readBootSet(process.env['A3S_BOOT'] ?? resolve('dist/boot'));
  root = await mkdtemp(join(tmpdir(), 'tpl-'));
  await chmod(root, 0o711);
  engine = openEngine({ boot, cacheFile: engineCache(root), runtimeDir: root });
  await emptyChanges(at('template-changes'));
  const writer = await open(at('ram'), 'wx+', 0o600);
  if (uid === 0) await writer.chown(identity.uid, identity.gid);
  await mkdir(at('template'));
  const shape = { cpus: 1, boot };
  await engine.makeTemplate(
    {
      id: '7e'.repeat(32),
      runtimeDir: at('template'),
      identity,
      shape,
      writableLayerPath: at('template-changes'),
      ram: writer.fd,
      devicePath: at('device'),
      async prepare(vm, signal) {
        const guest = await connectGuest(vm, { signal, deadlineMs: LAUNCH_MS });
        await checkClockRate(guest, signal);
        await guest.prepare(signal);
      },
    },
    AbortSignal.timeout(LAUNCH_MS),
  );
  await writer.chmod(0o444);
  await writer.close();
  expect(findProcesses(at('template'), isJailUid)).toEqual([]);
  ram = await open(at('ram'), 'r');
  const { templateMemoryBytes: memoryBytes } = engine;
  template = { key: '0'.repeat(64), shape, memoryBytes, ram: ram.fd, devicePath: at('device') };
});

afterEach(async () => {
  for (const vm of running.splice(0)) await vm.kill();
});

afterAll(async () => {
  await ram.close();
  await closeEngines();
  await rm(root, { recursive: true });
});

async function emptyChanges(path: string): Promise<void> {
  await writeFile(path, '', { mode: 0o600 });
  await truncate(path, 2 ** 30);
  await run('mkfs.ext4', ['-q', '-F', '-O', '^orphan_file', '-E', 'nodiscard', path]);
  if (uid === 0) await chown(path, identity.uid, identity.gid);
}

async function launch(name: string, changes: Partial<VmSpec> = {}): Promise<Vm> {
  const id = name.repeat(32);
  const runtimeDir = at(name);
  await mkdir(runtimeDir);
  const path = at(`changes-${name}`);
  await copyFile(at('template-changes'), path);
  if (uid === 0) await chown(path, identity.uid, identity.gid);
  const spec: VmSpec = {
    id,
    runtimeDir,
    identity,
    cpus: 1,
    memoryBytes: template.memoryBytes,
    boot,
    disks: [{ path, serial: 'changes', readonly: false }],
    nic: undefined,
    shares: [],
    template,
    ...changes,
  };
  const vm = await engine.launch(spec, AbortSignal.timeout(LAUNCH_MS));
  running.push(vm);
  return vm;
}

/** As boxes do: nobody says hello to a copy. */
async function resumed(vm: Vm): Promise<Guest> {
  const identity = {
    entropy: randomBytes(ENTROPY_BYTES).toString('base64'),
    time: new Date().toISOString().replace('Z', '000000Z'),
    machineId: randomUUID(),
  };
  return await connectGuest(vm, {
    signal: AbortSignal.timeout(LAUNCH_MS),
    deadlineMs: LAUNCH_MS,
    known: { protocol: 2, first: (guest, signal) => guest.reseed(identity, signal) },
  });
}

it('starts any number of microVMs from one template, and does not change it', async () => {
  const before = await ram.readFile();
  const guests = [];
  for (const name of ['a1', 'a2', 'a3']) guests.push(await resumed(await launch(name)));
  const states = await Promise.all(guests.map((guest) => guest.state()));
  expect(states).toHaveLength(3);
  const { buffer } = await ram.read(Buffer.alloc(before.length), 0, before.length, 0);
  expect(buffer.equals(before)).toBe(true);
});

it('hot-plugs memory, a share and the network, which have no slot in the template', async () => {
  await mkdir(at('shared'));
  const vm = await launch('b1', {
    memoryBytes: 2 * template.memoryBytes,
    nic: { mac: '02:00:00:00:00:01', ports: [] },
    shares: [{ tag: 'share-0', path: at('shared'), readonly: false }],
  });
  const guest = await resumed(vm);
  expect(await guest.state()).toBeDefined();
  const programs = findProcesses(at('b1'), isJailUid).map(({ program }) => program);
  expect(programs).toEqual(expect.arrayContaining(['passt', 'qemu-system-x86_64', 'virtiofsd']));
});

it('blames the template when its state is damaged, and leaves nothing behind', async () => {
  await writeFile(at('damaged'), randomBytes(4096));
  const damaged = { ...template, devicePath: at('damaged') };
  await expect(launch('c1', { template: damaged })).rejects.toMatchObject({
    code: 'template-unusable',
  });
  expect(findProcesses(at('c1'), isJailUid)).toEqual([]);
  expect(await readdir(at('c1'))).toEqual([]);
});

it('lets another server adopt a microVM from a template, run containers in it, and ends with the guest', async () => {
  const vm = await launch('d1');
  const guest = await resumed(vm);
  await vm.release();
  await guest.closed;
  const adopted = await engine.adopt(vm.id, at('d1'));
  if (adopted === undefined) throw new Error('the microVM is gone');
  expect(adopted.pid).toBe(vm.pid);
  running.push(adopted);
  const again = await connectGuest(adopted, {
    signal: AbortSignal.timeout(LAUNCH_MS),
    deadlineMs: LAUNCH_MS,
  });
  await runContainers(adopted, again, at('containers'));
  await Promise.allSettled([again.poweroff()]);
  expect(await adopted.exited).toEqual({ reason: 'poweroff', detail: '' });
});

it('notices that the clock of a guest runs many times too fast', async () => {
  const inputs = await engine.templateInputs(template.shape);
  // The kernel measures no counter where KVM tells it the rate.
  if (inputs?.['accelerator'] !== 'tcg') return;
  // What the measurement of a host's counter of 2.6 GHz came to where a clock was 18 times too
  // fast. The kernel then measures nothing.
  const commandLine = [...boot.commandLine, 'tsc_early_khz=144000'];
  const changes = { boot: { ...boot, commandLine }, memoryBytes: 2 ** 28, template: undefined };
  const vm = await launch('e1', changes);
  const signal = AbortSignal.timeout(LAUNCH_MS);
  const guest = await connectGuest(vm, { signal, deadlineMs: LAUNCH_MS });
  await expect(checkClockRate(guest, signal)).rejects.toBeInstanceOf(WrongClock);
  await Promise.allSettled([guest.poweroff()]);
});

it('lists all inputs of a template, the same each time', async () => {
  const inputs = await engine.templateInputs(template.shape);
  expect(Object.keys(inputs ?? {}).sort()).toEqual([
    'accelerator',
    'arguments',
    'cpuModel',
    'firmware',
    'initrd',
    'kernel',
    'qemu',
    'version',
  ]);
  expect(JSON.stringify(inputs)).not.toContain(root);
  expect(await engine.templateInputs(template.shape)).toEqual(inputs);
});
