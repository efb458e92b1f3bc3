/**
 * Saves a VM that keeps running: RAM and devices as they are at one moment. The writable layer
 * stays as it was at that moment; later writes go to a layer over it.
 *
 * The VM is paused for as long as its RAM takes to be written to memory: about 1 ms for each MiB in
 * use. Blocks in flight are finished first (`stop` waits for them), so the disk has what the guest
 * believes it has.
 *
 * @module
 */
import { constants } from 'node:fs';
import { chmod, type FileHandle, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { retry } from '../../../async/retry.ts';
import { A3sError } from '../../../errors.ts';
import { deadline } from '../../deadline.ts';
import { SAVED_FILES, type SavedVm, type SaveRequest } from '../../vm/saved-vm.ts';
import { overlaySet, SAVING_SETS, setFile } from '../command-line/descriptor-sets.ts';
import { RAM_BLOCKS } from '../command-line/fork-devices.ts';
import { executeAll } from '../monitor/execute-all.ts';
import type { QmpClient } from '../monitor/qmp.ts';
import { coverCommands, findWritableLayer, OVERLAY_ACCESS } from './cover-disk.ts';
import { forkState, MOST_DEVICES_BYTES } from './fork-state.ts';
import { readSavedRam } from './saved-ram.ts';

type Monitor = Pick<QmpClient, 'execute'>;

const SAVE_MS = 120_000;
/** The presence of this backend says that the VM is paused only to be saved. */
const SAVING = 'saving';
/** QEMU's default is meant for a network. */
const BANDWIDTH = 2 ** 42;

/** @throws A3sError `vmm-failed`, `out-of-memory`; the VM resumes then, saved to end or not */
export async function saveRunning(
  monitor: Monitor,
  { directory, overlayPath, ends = false }: SaveRequest,
  signal: AbortSignal,
): Promise<SavedVm> {
  const devicesPath = join(directory, 'devices');
  const ramPath = join(directory, SAVED_FILES.ram);
  const found = await findDisk(monitor);
  const limit = AbortSignal.any([
    signal,
    deadline(SAVE_MS, 'vmm-failed', 'QEMU did not save the microVM'),
  ]);
  const files: FileHandle[] = [];
  const make = async (path: string, set: number, flags: number): Promise<void> => {
    const file = await open(path, flags, 0o600);
    files.push(file);
    // Removes what an earlier server left.
    await monitor.execute('remove-fd', { 'fdset-id': set }, z.unknown()).catch(() => undefined);
    await monitor.execute('add-fd', { 'fdset-id': set }, z.unknown(), file.fd);
  };
  const overlay = overlaySet();
  try {
    const fresh = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    await make(ramPath, SAVING_SETS.ram, fresh);
    await make(devicesPath, SAVING_SETS.devices, fresh);
    await make(overlayPath, overlay, OVERLAY_ACCESS);
    await saveWhilePaused(monitor, found, { overlay, ends }, limit);
  } finally {
    for (const file of files) await file.close();
    for (const set of [SAVING_SETS.ram, SAVING_SETS.devices]) {
      await monitor.execute('remove-fd', { 'fdset-id': set }, z.unknown()).catch(() => undefined);
    }
  }
  try {
    return await describe(directory, devicesPath, found);
  } catch (error) {
    // The server thaws the box now, which its agent has to answer.
    if (ends) await endSaving(monitor);
    throw error;
  }
}

interface FoundDisk extends Pick<SavedVm, 'arrangement' | 'changesSerial'> {
  /** Name of the writable layer's block node, as it is now. */
  readonly node: string;
}

/** All steps that need the guest paused. */
async function saveWhilePaused(
  monitor: Monitor,
  { node }: FoundDisk,
  { overlay, ends }: { readonly overlay: number; readonly ends: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { add, cover } = coverCommands(overlay, node);
  await executeAll(monitor, [
    ['chardev-add', { id: SAVING, backend: { type: 'null', data: {} } }],
    ['migrate-set-capabilities', { capabilities: CAPABILITIES }],
    ['migrate-set-parameters', { 'max-bandwidth': BANDWIDTH }],
    add,
  ]);
  let isSaved = false;
  try {
    await executeAll(monitor, [
      ['stop', {}],
      cover,
      ['xen-save-devices-state', { filename: setFile(SAVING_SETS.devices), live: false }],
      ['migrate', { uri: `file:${setFile(SAVING_SETS.ram)}` }],
    ]);
    await retry(() => migrated(monitor), signal);
    isSaved = true;
  } finally {
    if (!isSaved || !ends) await endSaving(monitor);
  }
}

const CAPABILITIES = [
  { capability: 'x-ignore-shared', state: false },
  { capability: 'events', state: false },
  { capability: 'mapped-ram', state: true },
];

const Migration = z.object({ status: z.string(), 'error-desc': z.string().optional() });

async function migrated(monitor: Monitor): Promise<true | undefined> {
  const answer = await monitor.execute('query-migrate', {}, Migration);
  if (answer.status === 'completed') return true;
  if (answer.status !== 'failed' && answer.status !== 'cancelled') return undefined;
  const why = answer['error-desc'] ?? answer.status;
  throw new A3sError('vmm-failed', `The microVM’s RAM could not be saved: ${why.slice(0, 200)}`);
}

const Chardevs = z.array(z.object({ label: z.string() }));

/** Resumes a VM that is paused to be saved; any other is left as it is. */
export async function endSaving(monitor: Monitor): Promise<void> {
  const chardevs = await monitor.execute('query-chardev', {}, Chardevs);
  if (!chardevs.some(({ label }) => label === SAVING)) return;
  const answer = await monitor.execute(
    'query-migrate',
    {},
    z.object({ status: z.string().optional() }),
  );
  if (RUNNING.has(answer.status ?? '')) {
    await monitor.execute('migrate_cancel', {}, z.unknown());
    const limit = deadline(SAVE_MS, 'vmm-failed', 'QEMU did not cancel the save of the microVM');
    await retry(async () => {
      const { status } = await monitor.execute('query-migrate', {}, Migration);
      return RUNNING.has(status) ? undefined : true;
    }, limit);
  }
  await executeAll(monitor, [
    ['cont', {}],
    ['chardev-remove', { id: SAVING }],
  ]);
}

const RUNNING: ReadonlySet<string> = new Set(['setup', 'active', 'device', 'cancelling']);

/** Finds the writable layer among the VM's disks. */
async function findDisk(monitor: Monitor): Promise<FoundDisk> {
  const { templated, changes } = await findWritableLayer(monitor);
  const { serial, node } = changes;
  return { arrangement: templated ? 'template' : 'boot', changesSerial: serial, node };
}

async function describe(
  directory: string,
  devicesPath: string,
  { arrangement, changesSerial }: FoundDisk,
): Promise<SavedVm> {
  const ramPath = join(directory, SAVED_FILES.ram);
  const statePath = join(directory, SAVED_FILES.state);
  const ram = await open(ramPath, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const saved = await readSavedRam(ram);
    const names = new Set<string>(Object.values(RAM_BLOCKS));
    const state = await forkState(ram, saved, await readDevices(devicesPath), names);
    await writeFile(statePath, state, { mode: 0o600, flag: 'wx' });
    const [memory, growth] = [RAM_BLOCKS.memory, RAM_BLOCKS.growth].map((wanted) => {
      const block = saved.blocks.find(({ name }) => name === wanted);
      return block === undefined ? undefined : { offset: block.offset, bytes: block.bytes };
    });
    if (memory === undefined) throw new A3sError('vmm-failed', 'QEMU saved no RAM');
    // Forks run as other users, who open the file through a descriptor. The directory keeps all
    // others out.
    for (const path of [ramPath, statePath]) await chmod(path, 0o444);
    return { arrangement, changesSerial, memory, ...(growth === undefined ? {} : { growth }) };
  } finally {
    await ram.close();
    await rm(devicesPath, { force: true });
  }
}

/** A guest that has taken over its VMM may have written any number of bytes. */
async function readDevices(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = await file.stat();
    if (size > MOST_DEVICES_BYTES) {
      throw new A3sError('vmm-failed', `QEMU saved ${size} bytes of devices`);
    }
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
