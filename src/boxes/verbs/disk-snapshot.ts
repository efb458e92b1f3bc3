/**
 * Makes a snapshot of a box's disk, and gives a box the disk of a snapshot back.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { linkedSignal } from '../../async/linked-signal.ts';
import { requireFeature } from '../../engine/engine-name.ts';
import { A3sError } from '../../errors.ts';
import type { Snapshot, SnapshotRecord } from '../../snapshots/snapshot.ts';
import { addLayer, layersOf, shareLayers } from '../disks/backing-chain.ts';
import { finishReplacement, replaceWritableLayer } from '../disks/replace-writable-layer.ts';
import { ensureWritableLayer, writableLayerPath } from '../disks/writable-layer.ts';
import type { Box } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { checkName, inventName } from '../record/name.ts';
import { mayHaveVm } from '../record/states.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';
import { type PauseHost, pauseForAWhile } from '../run/while-paused.ts';
import type { Services } from '../services/services.ts';
import { isFork } from '../start/sources/snapshot.ts';
import { snapshotAttributes } from './snapshot.ts';

/** What a snapshot of a disk needs of the server. */
export type DiskSnapshotHost = PauseHost & Pick<RunServices, 'home' | 'snapshots' | 'shutdown'>;

/**
 * Keeps the box's disk as it is at one moment. A box that runs is paused meanwhile, and what it has
 * written is brought to the disk first, so programs find their files as after a power cut, with the
 * file system whole.
 *
 * @param name undefined: a name is made up
 * @throws A3sError for a box that has no such disk, before anything is changed; `disk-full`; then
 * nothing of the snapshot is left
 */
export async function createDiskSnapshot(
  rt: DiskSnapshotHost,
  id: string,
  name: string | undefined,
): Promise<Snapshot> {
  const chosen = name === undefined ? undefined : checkName(name);
  checkDisk(rt.store.expect(id));
  const resume = await pauseForAWhile(rt, id);
  const pausedAt = performance.now();
  try {
    return await rt.locks.run(id, async () => {
      // Its last run may still be ending.
      if (rt.store.expect(id).state.status === 'stopping') await rt.running.get(id)?.finished;
      return await createLocked(rt, rt.store.expect(id), { name: chosen, pausedAt });
    });
  } finally {
    await resume();
  }
}

async function createLocked(
  rt: DiskSnapshotHost,
  box: Box,
  { name, pausedAt }: { readonly name: string | undefined; readonly pausedAt: number },
): Promise<Snapshot> {
  const { definition } = box;
  checkDisk(box);
  const taken = (each: string): boolean => rt.snapshots.list().some((s) => s.name === each);
  const record: SnapshotRecord = {
    id: randomBytes(32).toString('hex'),
    name: name ?? inventName(taken),
    kind: 'disk',
    createdAt: timestamp(now()),
    box: { id: definition.id, name: box.name, image: definition.image.reference },
    bootSet: definition.bootSet,
    definition,
  };
  const running = runningOf(rt, box);
  const directory = await rt.snapshots.beginDisk(record);
  let covered: Covered | undefined;
  try {
    covered =
      running === undefined ? await coverStopped(rt, box) : await coverRunning(rt, box, running);
    await shareLayers(covered.files, directory);
    const made = await rt.snapshots.finishDisk(record, () =>
      running === undefined ? 0 : Math.round(performance.now() - pausedAt),
    );
    rt.events.publish('snapshot', 'create', made.id, snapshotAttributes(made));
    return made;
  } catch (error) {
    // A server that stops leaves the snapshot to the next one.
    if (running?.released !== true) await rt.snapshots.discard(record.id);
    // Nothing else has the files below it now. One that a microVM writes to stays.
    if (running === undefined && covered !== undefined) await rm(covered.layer, { force: true });
    throw error;
  }
}

interface Covered {
  /** The files that nobody writes to any more. */
  readonly files: readonly string[];
  /** The empty layer above them. */
  readonly layer: string;
}

/** Undefined where no microVM has the disk. */
function runningOf(
  rt: Pick<RunServices, 'running'>,
  { definition, name, state }: Box,
): RunningBox | undefined {
  if (!mayHaveVm(state.status)) return undefined;
  const running = rt.running.get(definition.id);
  if (running !== undefined && state.status !== 'starting') return running;
  throw new A3sError(
    'conflict',
    `Cannot snapshot the disk of ${name}: the box is ${state.status}, and its microVM does not answer`,
    { remedy: 'Try again, or stop the box first.' },
  );
}

async function coverStopped(rt: Pick<Services, 'home'>, { definition }: Box): Promise<Covered> {
  const { id, identity, storage } = definition;
  await finishReplacement(rt, id);
  const base = writableLayerPath(rt, id);
  await ensureWritableLayer(base, identity, storage?.bytes);
  const files = await layersOf(base);
  return { files, layer: await addLayer(base, identity) };
}

async function coverRunning(
  rt: Pick<Services, 'home' | 'shutdown'>,
  { definition: { id, identity } }: Box,
  running: RunningBox,
): Promise<Covered> {
  const shutdown = linkedSignal(rt.shutdown);
  const signal = AbortSignal.any([shutdown.signal, running.signal]);
  try {
    const guest = await running.guest();
    await guest.files.sync(signal);
    const base = writableLayerPath(rt, id);
    const files = await layersOf(base);
    const layer = await addLayer(base, identity);
    await running.vm.coverDisk(layer, signal);
    return { files, layer };
  } finally {
    shutdown.unlink();
  }
}

/** What a box needs of the server to get its disk back. */
export type RestoreHost = Pick<
  RunServices,
  'home' | 'store' | 'running' | 'snapshots' | 'events' | 'locks' | 'log'
>;

/**
 * Gives the box that the snapshot was made of its disk back. What the box has written since is
 * gone, unless another snapshot has it.
 *
 * @throws A3sError `no-such-snapshot`, `no-such-box`, `conflict` for a box that runs and for a
 * memory snapshot, `disk-full`; then the box has the disk that it had
 */
export async function restoreSnapshot(rt: RestoreHost, reference: string): Promise<void> {
  const { id: snapshot, name, kind, box: source } = rt.snapshots.resolve(reference);
  if (kind !== 'disk') {
    throw new A3sError(
      'conflict',
      `Cannot restore ${name}: it is a memory snapshot, whose disk is of a box that runs`,
      { remedy: `Start a box from it: a3s-box run --from-snapshot ${name}.` },
    );
  }
  if (rt.store.get(source.id) === undefined) {
    throw new A3sError('no-such-box', `Cannot restore ${name}: its box ${source.name} is gone`, {
      remedy: `Make a box from it: a3s-box run --from-snapshot ${name}.`,
    });
  }
  await rt.locks.run(source.id, async () => {
    if (rt.store.expect(source.id).state.status === 'stopping') {
      await rt.running.get(source.id)?.finished;
    }
    const box = rt.store.expect(source.id);
    checkDisk(box);
    checkStopped(box, name);
    await rt.locks.run(snapshot, async () => {
      const record = rt.snapshots.expectDisk(snapshot);
      await replaceWritableLayer(rt, box.definition, rt.snapshots.diskDirectory(snapshot));
      rt.events.publish('snapshot', 'restore', snapshot, snapshotAttributes(record));
    });
  });
}

function checkStopped({ name, state: { status } }: Box, snapshot: string): void {
  if (status === 'created' || status === 'exited') return;
  throw new A3sError(
    'conflict',
    `Cannot restore ${snapshot}: the box ${name} is ${status}, and its disk is in use`,
    { remedy: `Stop it first: a3s-box stop ${name}.` },
  );
}

function checkDisk(box: Box): void {
  const { definition, name, state } = box;
  if (state.status === 'removing') {
    throw new A3sError('conflict', `The box ${name} is being removed`, {
      remedy: 'Make snapshots of a box before it is removed.',
    });
  }
  if (definition.confidential !== undefined) {
    throw new A3sError(
      'unsupported-option',
      `Cannot snapshot the disk of ${name}: it is confidential, and its files are its own`,
      { remedy: 'Run a plain box where snapshots are wanted.' },
    );
  }
  requireFeature(definition.engine?.name, 'snapshot', `snapshot the disk of ${name}`);
  if (isFork(box)) {
    throw new A3sError(
      'conflict',
      `Cannot snapshot the disk of ${name}: it is a fork that has not run`,
      { remedy: 'Start it first.' },
    );
  }
}
