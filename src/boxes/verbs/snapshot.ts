/**
 * Makes a memory snapshot of a running box, and removes snapshots.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { linkedSignal } from '../../async/linked-signal.ts';
import { requireFeature } from '../../engine/engine-name.ts';
import type { SavedVm } from '../../engine/vm/saved-vm.ts';
import { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import { MAIN } from '../../guest/protocol.ts';
import { GuestRefusal } from '../../guest/refusal.ts';
import type { MemorySnapshot, Snapshot, SnapshotRecord } from '../../snapshots/snapshot.ts';
import { notMade, type SnapshotDirectories } from '../../snapshots/snapshots.ts';
import { addLayer, layersOf, shareLayers } from '../disks/backing-chain.ts';
import { writableLayerPath } from '../disks/writable-layer.ts';
import type { Box } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { checkName, inventName } from '../record/name.ts';
import { linkPlaces } from '../run/link-places.ts';
import { persist } from '../run/persist.ts';
import type { RunServices } from '../run/run-services.ts';
import { notRunning, type RunningBox } from '../run/running-box.ts';
import type { Services } from '../services/services.ts';
import { boxLinksOf } from '../spec/box-links.ts';
import { vmMemory } from '../spec/resources.ts';

/** Memory is attached in whole steps of this size. */
const GROWTH_STEP = 128 * 2 ** 20;

/** What a memory snapshot needs of the server. */
export type SnapshotHost = Pick<
  RunServices,
  | 'home'
  | 'store'
  | 'running'
  | 'engine'
  | 'networks'
  | 'snapshots'
  | 'events'
  | 'locks'
  | 'log'
  | 'shutdown'
>;

/**
 * Saves memory and disk of the box as they are at one moment. The box is frozen meanwhile, and
 * resumes in every case.
 *
 * @param name undefined: a name is made up
 * @throws A3sError for a box that cannot be copied, before anything is changed
 */
export function createSnapshot(
  rt: SnapshotHost,
  id: string,
  name: string | undefined,
): Promise<Snapshot> {
  const chosen = name === undefined ? undefined : checkName(name);
  return rt.locks.run(id, async () => {
    const box = rt.store.expect(id);
    const running = checkCopyable(rt, box);
    const taken = (each: string): boolean => rt.snapshots.list().some((s) => s.name === each);
    const record: SnapshotRecord = {
      id: randomBytes(32).toString('hex'),
      name: chosen ?? inventName(taken),
      kind: 'memory',
      createdAt: timestamp(now()),
      box: { id, name: box.name, image: box.definition.image.reference },
      bootSet: box.definition.bootSet,
      definition: box.definition,
    };
    const most = mostMemory(rt, box);
    const directories = await rt.snapshots.begin(record, most);
    try {
      const saved = await save(rt, box, running, { ...directories, ends: false });
      checkMemory(saved.machine, most);
      const made = await rt.snapshots.finish(record, saved);
      rt.events.publish('snapshot', 'create', made.id, snapshotAttributes(made));
      return made;
    } catch (error) {
      // A server that stops leaves the snapshot to the next one.
      if (!running.released) await rt.snapshots.discard(record.id);
      throw error;
    }
  });
}

/** The most memory that the VM of a box has. */
export function mostMemory(
  { engine }: Pick<Services, 'engine'>,
  { definition: { memoryBytes } }: Pick<Box, 'definition'>,
): number {
  return Math.max(vmMemory(memoryBytes), engine.templateMemoryBytes);
}

/**
 * A guest that has taken over its VMM decides what the VMM saves. It must not decide how much
 * memory the forks get.
 */
export function checkMemory({ memory, growth }: SavedVm, asked: number): void {
  const bytes = memory.bytes + (growth?.bytes ?? 0);
  const most = asked + GROWTH_STEP;
  if (bytes <= most) return;
  throw new A3sError(
    'vmm-failed',
    `The box was saved with ${bytes} bytes of memory: ${most} are its most`,
  );
}

/** @throws A3sError `no-such-snapshot`, `conflict` while it is made */
export async function removeSnapshot(
  rt: Pick<Services, 'snapshots' | 'events' | 'locks'>,
  reference: string,
): Promise<void> {
  const { id } = rt.snapshots.resolve(reference);
  // A box may be getting its disk.
  const record = await rt.locks.run(id, async () => {
    const found = rt.snapshots.resolve(id);
    if (found.saved === undefined) throw notMade(found);
    await rt.snapshots.discard(id);
    return found;
  });
  rt.events.publish('snapshot', 'remove', record.id, snapshotAttributes(record));
}

/**
 * Ends what an earlier server was making: its boxes go on. For boxes that are adopted, or being
 * adopted.
 */
export async function endUnfinishedSnapshots(
  rt: Pick<RunServices, 'snapshots' | 'running' | 'locks' | 'log' | 'shutdown'>,
): Promise<void> {
  const boxes = rt.snapshots.unfinishedBoxes();
  try {
    await rt.snapshots.sweep();
  } catch (error) {
    // Requests for snapshots report this error. Boxes need no snapshots.
    if (!(error instanceof A3sError)) throw error;
    rt.log.error('snapshots could not be swept', error);
  }
  for (const id of boxes) {
    // In turn with the box's adoption, which may wait for its microVM.
    const thawed = rt.locks.run(id, async () => {
      const running = rt.running.get(id);
      if (running !== undefined) await thaw(rt, running);
    });
    thawed.catch((error: unknown) => {
      if (!rt.shutdown.aborted) rt.log.error('a box may be frozen', error, { box: id });
    });
  }
}

function checkCopyable(
  rt: Pick<RunServices, 'running' | 'store' | 'networks'>,
  box: Box,
): RunningBox {
  const { definition, state, name } = box;
  const running = rt.running.get(definition.id);
  if (running === undefined || state.status !== 'running') throw notRunning(definition.id);
  if (definition.confidential !== undefined) {
    throw new A3sError(
      'unsupported-option',
      `Cannot snapshot the memory of ${name}: it is confidential, and the host cannot read it`,
      { remedy: 'Run a plain box where snapshots are wanted.' },
    );
  }
  requireFeature(definition.engine?.name, 'snapshot', `snapshot the memory of ${name}`);
  if (definition.architecture !== undefined) {
    throw new A3sError(
      'unsupported-option',
      `Cannot snapshot the memory of ${name}: it is of linux/${definition.architecture}, and emulated guests of another architecture have no forks`,
      { remedy: 'Snapshot its disk alone, or run an image of the host.' },
    );
  }
  if (definition.network === 'user' || definition.endpoints.length > 0) {
    throw new A3sError(
      'unsupported-option',
      `Cannot snapshot the memory of ${name}: it is in a user-defined network, whose addresses no fork can have`,
      { remedy: 'Run it in the default network, or with --network none.' },
    );
  }
  const isLinked = boxLinksOf(rt, box).length + linkPlaces(rt.networks, definition.id).length > 0;
  if (isLinked) {
    throw new A3sError(
      'unsupported-option',
      `Cannot snapshot the memory of ${name}: it is linked to another box, whose address no fork can use`,
      { remedy: 'Snapshot its disk alone; restart a box that others were linked to.' },
    );
  }
  if (definition.egressSecrets !== undefined) {
    throw new A3sError(
      'unsupported-option',
      `Cannot snapshot the memory of ${name}: it has egress secrets, which are its alone`,
      { remedy: 'Snapshot its disk alone.' },
    );
  }
  // The guest of one that booted has a driver for what its card offers, which no fork's card does.
  if (definition.egress !== undefined && state.machine?.start === 'cold') {
    throw new A3sError(
      'unsupported-option',
      `Cannot snapshot the memory of ${name}: it has a network policy, and did not start from a template`,
      { remedy: 'Restart it once there is a template, or snapshot its disk alone.' },
    );
  }
  const [mount] = [...definition.binds, ...definition.volumeMounts, ...definition.imageMounts];
  if (mount !== undefined) {
    const kind = 'source' in mount ? 'bind mount' : 'image' in mount ? 'image' : 'volume';
    throw new A3sError(
      'unsupported-option',
      `Cannot snapshot the memory of ${name}: it has the ${kind} ${mount.destination}`,
      { remedy: 'Start it without -v, and with a tmpfs in the place of each volume of its image.' },
    );
  }
  return running;
}

/**
 * Saves the box while it is frozen.
 *
 * @param request.ends the microVM stays paused where it was saved, and the caller ends it
 */
export async function save(
  rt: Pick<Services, 'home' | 'log' | 'shutdown'>,
  box: Box,
  running: RunningBox,
  { memory, disk, ends }: SnapshotDirectories & { readonly ends: boolean },
): Promise<Omit<MemorySnapshot['saved'], 'bytes'>> {
  const base = writableLayerPath(rt, running.id);
  const files = await layersOf(base);
  const overlayPath = await addLayer(base, box.definition.identity);
  const shutdown = linkedSignal(rt.shutdown);
  const signal = AbortSignal.any([shutdown.signal, running.signal]);
  const startedAt = performance.now();
  let isSaved = false;
  try {
    const guest = await running.guest();
    await freeze(guest, signal);
    const main = await guest.process(MAIN, signal);
    if (main.state !== 'running') throw notRunning(running.id);
    const machine = await running.vm.save({ directory: memory, overlayPath, ends }, signal);
    isSaved = true;
    const pausedMs = Math.round(performance.now() - startedAt);
    await shareLayers(files, disk);
    return { machine, written: main.written, pausedMs };
  } finally {
    shutdown.unlink();
    if (!running.signal.aborted && !(isSaved && ends)) await thaw(rt, running);
  }
}

async function freeze(guest: Guest, signal: AbortSignal): Promise<void> {
  try {
    await guest.freeze(signal);
  } catch (cause) {
    if (!isTooOld(cause)) throw cause;
    throw new A3sError(
      'agent-failed',
      "Cannot save a memory snapshot: the box's agent is too old",
      {
        remedy: 'Create the box anew, so that it boots with the current agent.',
        cause,
      },
    );
  }
}

/** Called also when the snapshot failed: the box must not stay frozen. */
async function thaw(rt: Pick<Services, 'log'>, running: RunningBox): Promise<void> {
  try {
    await persist(running, (guest) => guest.thaw(running.signal));
  } catch (error) {
    if (running.signal.aborted || isTooOld(error)) return;
    rt.log.error('a box may be frozen', error, { box: running.id });
  }
}

/** An older agent has no such route. */
function isTooOld(error: unknown): boolean {
  return error instanceof GuestRefusal && error.guestCode === 'not-found';
}

/** Of its events. */
export function snapshotAttributes({ name, box }: SnapshotRecord): Record<string, string> {
  return { name, box: box.id, boxName: box.name, image: box.image };
}
