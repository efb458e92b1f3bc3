/**
 * The source of a fork's first start: it continues what a running box did, with an identity of its
 * own. From the second start on, a fork starts as any other box, with its own disk.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Disk } from '../../../engine/vm/devices.ts';
import type { Vm } from '../../../engine/vm/vm.ts';
import { vmUuid } from '../../../engine/vm-uuid.ts';
import type { KnownAgent } from '../../../guest/connection.ts';
import { ENTROPY_BYTES, type Fork } from '../../../guest/protocol.ts';
import type { SavedBox } from '../../../snapshots/snapshots.ts';
import { writableLayerFiles } from '../../disks/backing-chain.ts';
import { forkWritableLayer } from '../../disks/fork-writable-layer.ts';
import { writableLayerPath } from '../../disks/writable-layer.ts';
import type { Box, BoxDefinition } from '../../record/box.ts';
import { now, timestamp } from '../../record/clock.ts';
import { makeRuntimeDirectory, runtimeDirectory } from '../../record/directories.ts';
import type { Services } from '../../services/services.ts';
import { describeVm, type Found } from '../describe-vm.ts';
import type { LaunchHost } from '../launch-vm.ts';
import { launchOnPorts } from '../ports.ts';
import type { Acquired, StartSource } from '../source.ts';

/**
 * The first protocol of agents that can be frozen and forked. The guests of snapshots have such
 * agents.
 */
const PROTOCOL = 2;
const CONNECT_MS = 20_000;

/** Whether this start is the first of a fork. */
export function isFork({ definition, state }: Box): boolean {
  return definition.snapshot !== undefined && state.startedAt === undefined;
}

/**
 * Opens what the box goes on from. Called while the box has its volumes, so that no other box
 * writes to a disk of theirs.
 */
export type OpenSaved = () => Promise<SavedBox>;

/** The snapshot that the box's definition names. */
export function snapshotOf({ snapshots }: Pick<Services, 'snapshots'>, box: Box): OpenSaved {
  return () => snapshots.open(box.definition.snapshot ?? '');
}

/** The box does nothing of its own before it has its identity. */
export class SnapshotSource implements StartSource {
  readonly #rt: LaunchHost;
  readonly #box: Box;
  readonly #found: Found;
  readonly #openSaved: OpenSaved;
  #open: SavedBox | undefined;

  constructor(rt: LaunchHost, box: Box, found: Found, openSaved: OpenSaved) {
    this.#rt = rt;
    this.#box = box;
    this.#found = found;
    this.#openSaved = openSaved;
  }

  async acquire(): Promise<Acquired> {
    const { definition } = this.#box;
    const open = await this.#openSaved();
    this.#open = open;
    await forkWritableLayer(this.#rt, definition, open.disk);
    const { vm, mac } = await launchFork(this.#rt, this.#box, this.#found, open);
    return {
      vm,
      firstContact: { known: forksAs(definition, mac), connectMs: CONNECT_MS },
      prepareGuest: async (running) => {
        const guest = await running.guest();
        await guest.thaw(running.signal);
        await open[Symbol.asyncDispose]();
        return 'running';
      },
    };
  }

  async onFailure(): Promise<'fail'> {
    await this.#open?.[Symbol.asyncDispose]();
    return 'fail';
  }
}

async function launchFork(
  rt: LaunchHost,
  box: Box,
  found: Found,
  { fork, snapshot }: SavedBox,
): Promise<{ vm: Vm; mac: string | null }> {
  const { definition } = box;
  const { id, identity } = definition;
  const directory = runtimeDirectory(rt, id);
  await makeRuntimeDirectory(directory, identity);
  const serial = fork.changesSerial;
  const layers = await writableLayerFiles(writableLayerPath(rt, id));
  const disk: Disk = { ...layers, serial, readonly: false };
  const { written } = snapshot.saved;
  const { vm, description } = await launchOnPorts(rt, box, {
    state: { machine: { id, identity, start: 'snapshot', source: snapshot.id, written } },
    disks: Promise.resolve({ disks: [disk], serial, throwaway: undefined }),
    describe: (_, changes, joined) => {
      const given = { found, directory, changes, taken: undefined, joined };
      return { vm: { ...describeVm(definition, given).vm, fork } };
    },
  });
  return { vm, mac: description.vm.nic?.mac ?? null };
}

/**
 * How the agent of a fork is first contacted: it gets what no two boxes may share, while the box is
 * still frozen.
 */
function forksAs({ id, hostname }: BoxDefinition, mac: string | null): KnownAgent {
  let fork: Fork | undefined;
  return {
    protocol: PROTOCOL,
    negotiate: true,
    first: async (guest, signal) => {
      // Made once, when it is first sent. The same values may be sent twice; other values must not
      // follow.
      fork ??= {
        entropy: randomBytes(ENTROPY_BYTES).toString('base64'),
        time: timestamp(now()),
        machineId: vmUuid(id),
        hostname,
        mac,
      };
      await guest.fork(fork, signal);
    },
  };
}
