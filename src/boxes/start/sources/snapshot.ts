/**
 * Boxes that go on from a snapshot: their first run continues what a running box did, under an identity of its own. From
 * the second start on such a box is as any other, with the disk that it has by then.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import type { Disk, Machine, MachineSpec } from '../../../engine/engine.ts';
import { machineUuid } from '../../../engine/machine-uuid.ts';
import { A3sError } from '../../../errors.ts';
import type { KnownAgent } from '../../../guest/connection.ts';
import { ENTROPY_BYTES, type Fork } from '../../../guest/protocol.ts';
import type { OpenSnapshot } from '../../../snapshots/snapshots.ts';
import { addLayer, changesLayers, layersOf, shareLayers } from '../../disks/backing-chain.ts';
import { CHANGES_DISK, changesPath } from '../../disks/writable-layer.ts';
import { authorizeImage, type TrustOptions } from '../../policy/authorize-image.ts';
import { namesOnRecord } from '../../policy/trust-names.ts';
import { trustAttributes, trustRecord } from '../../policy/trust-record.ts';
import { type Box, BoxDefinition, type Port } from '../../record/box.ts';
import { now, timestamp } from '../../record/clock.ts';
import { checkName, inventName } from '../../record/name.ts';
import { pinnedImage } from '../../record/pinned-image.ts';
import { nameInUse } from '../../record/store.ts';
import { takenUids } from '../../record/taken-uids.ts';
import { drainExecs } from '../../run/drain-execs.ts';
import { RunningBox } from '../../run/running-box.ts';
import { boxDirectory, publish, type Runtime, runtimeDirectory } from '../../runtime.ts';
import { abandon, enterRunning } from '../begin.ts';
import { describeMachine, type Found, makeRuntimeDirectory } from '../describe.ts';
import { enter } from '../enter.ts';
import { launchOnPorts } from '../ports.ts';

/** The protocol of agents that can freeze and be forked, which snapshots are made with. */
const PROTOCOL = 2;
const CONNECT_MS = 20_000;

/** What a box may be given that is not its source's. */
export interface ForkRequest {
  readonly name: string | undefined;
  /** None of the source's. */
  readonly ports: readonly Port[];
  readonly autoRemove: boolean;
}

/**
 * Makes a box whose first start goes on from the snapshot. The image policy decides as for any other box.
 *
 * @throws A3sError for whatever does not fit, before anything is changed
 */
export async function createFork(
  rt: Runtime,
  reference: string,
  request: ForkRequest,
  options: TrustOptions = {},
): Promise<Box> {
  const name = request.name === undefined ? undefined : checkName(request.name);
  const holder = name === undefined ? undefined : rt.store.byName(name);
  if (name !== undefined && holder !== undefined) throw nameInUse(name, holder.definition.id);
  await using taken = await rt.snapshots.open(reference);
  const source = BoxDefinition.parse(taken.snapshot.definition);
  if (source.confidential !== undefined) {
    throw new A3sError(
      'unsupported-option',
      'Cannot fork a confidential box: it is measured anew',
      {
        remedy: 'Create another box from the same image.',
      },
    );
  }
  if (source.network === 'none' && request.ports.length > 0) {
    throw new A3sError('invalid-argument', 'Cannot publish ports of a box without a network', {
      remedy: 'The snapshot was made of one that was started with --network none.',
    });
  }
  const image = await pinnedImage(rt, source);
  const { reference: called, names = namesOnRecord(called, image) } = source.image;
  const trust = trustRecord(
    await authorizeImage(rt, { image, reference: called, names, confidential: false }, options),
  );
  const id = randomBytes(32).toString('hex');
  const uids = takenUids(rt);
  const definition: BoxDefinition = {
    ...source,
    ...{ id, createdAt: timestamp(now()), identity: rt.identityFor(uids), trust },
    hostname: id.slice(0, 12),
    ports: [...request.ports],
    autoRemove: request.autoRemove,
    // One that is removed at its end is not started again.
    ...(request.autoRemove ? { restart: { name: 'no', maximumRetryCount: 0 } } : {}),
    attach: { stdin: false, stdout: true, stderr: true },
    snapshot: taken.snapshot.id,
  };
  const box = rt.store.insert(
    definition,
    name ?? inventName((n) => rt.store.byName(n) !== undefined),
  );
  try {
    await mkdir(boxDirectory(rt, id), { mode: 0o711 });
    await makeDisk(rt, definition, taken.disk);
    await pinnedImage(rt, definition);
  } catch (error) {
    await rm(boxDirectory(rt, id), { recursive: true, force: true });
    rt.store.remove(id);
    throw error;
  }
  publish(rt, box, 'create', { ...trustAttributes(trust), snapshot: taken.snapshot.id });
  return box;
}

/**
 * The snapshot's files under other names, and a layer of the box's own, in place of whatever is there: memory and disk are of one
 * moment, so nothing that a start which failed has written may be left, and a layer that others have too is never written to.
 */
async function makeDisk(
  rt: Runtime,
  { id, identity }: BoxDefinition,
  directory: string,
): Promise<void> {
  const base = changesPath(rt, id);
  for (const file of await layersOf(base)) await rm(file, { force: true });
  await shareLayers(await layersOf(`${directory}/${CHANGES_DISK}`), boxDirectory(rt, id));
  await addLayer(base, identity);
}

/** Whether this start goes on from a snapshot. */
export function isFork({ definition, state }: Box): boolean {
  return definition.snapshot !== undefined && state.startedAt === undefined;
}

/** Everything up to a box that runs. It does nothing of its own before it has its identity. */
export async function startFork(rt: Runtime, box: Box, found: Found): Promise<void> {
  const { definition, state } = box;
  const { id } = definition;
  await using taken = await rt.snapshots.open(definition.snapshot ?? '');
  await makeDisk(rt, definition, taken.disk);
  const { machine, spec } = await launch(rt, box, found, taken);
  const running = new RunningBox(id, state.run, machine, {
    connectMs: rt.startTimeoutMs,
    copy: {
      known: forksAs(definition, spec.nic?.mac ?? null),
      connectMs: CONNECT_MS,
    },
  });
  await enter(rt, running);
  try {
    const guest = await running.guest();
    await guest.thaw(running.signal);
    enterRunning(rt, running);
  } catch (error) {
    if (!running.released) await abandon(rt, running);
    throw error;
  }
  // Of the source: their clients are not this box's.
  void drainExecs(rt, running);
}

async function launch(
  rt: Runtime,
  box: Box,
  found: Found,
  { copyOf, snapshot }: OpenSnapshot,
): Promise<{ machine: Machine; spec: MachineSpec }> {
  const { definition } = box;
  const { id, identity } = definition;
  const directory = runtimeDirectory(rt, id);
  await makeRuntimeDirectory(directory, identity);
  const serial = copyOf.changesSerial;
  const layers = await changesLayers(changesPath(rt, id));
  const disk: Disk = { ...layers, serial, readonly: false };
  const { written } = snapshot.saved;
  const { machine, description } = await launchOnPorts(rt, box, {
    state: { machine: { id, identity, start: 'snapshot', source: snapshot.id, written } },
    disks: Promise.resolve({ disks: [disk], serial, throwaway: undefined }),
    describe: (ports, changes) => {
      const given = { found, directory, ports, changes, taken: undefined };
      return { machine: { ...describeMachine(definition, given).machine, copyOf } };
    },
  });
  return { machine, spec: description.machine };
}

/** How the agent of a copy is met: it gets what no two boxes may share, while the box is frozen still. */
function forksAs({ id, hostname }: BoxDefinition, mac: string | null): KnownAgent {
  let fork: Fork | undefined;
  return {
    protocol: PROTOCOL,
    negotiate: true,
    first: async (guest, signal) => {
      // Made when it is sent, and once: the same may come twice, another one must not.
      fork ??= {
        entropy: randomBytes(ENTROPY_BYTES).toString('base64'),
        time: timestamp(now()),
        machineId: machineUuid(id),
        hostname,
        mac,
      };
      await guest.fork(fork, signal);
    },
  };
}
