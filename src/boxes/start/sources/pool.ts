/**
 * The source of a start in a pool's microVM: its guest has everything but the box's layers and
 * spec.
 *
 * @module
 */
import { chown, rename, rm } from 'node:fs/promises';
import { settleAll } from '../../../async/settle-all.ts';
import { TEMPLATE_SLOTS } from '../../../engine/vm/slots.ts';
import { A3sError, ERRORS } from '../../../errors.ts';
import { syncWritableLayer, writableLayerPath } from '../../disks/writable-layer.ts';
import { endPooled, type Host as PoolHost } from '../../pool/pooled-vm.ts';
import type { PooledVm, VmPools } from '../../pool/vm-pools.ts';
import type { Box, BoxDefinition } from '../../record/box.ts';
import { runtimeDirectory } from '../../record/directories.ts';
import { Handshake } from '../../run/handshake.ts';
import { isLedByHost, type PlacesHost, portsInNetworks } from '../../run/network-places.ts';
import type { RunServices } from '../../run/run-services.ts';
import type { RunningBox } from '../../run/running-box.ts';
import { publish } from '../../services/publish.ts';
import type { Services } from '../../services/services.ts';
import { hostLimitsOf } from '../../spec/resources.ts';
import { describeVm, type Found } from '../describe-vm.ts';
import { isInterrupted } from '../enter.ts';
import { type JoinedNetwork, ownNetwork } from '../join-network.ts';
import { joinOnPorts } from '../ports.ts';
import { resolvePorts } from '../probe-port.ts';
import type { Acquired, PreparedMain, StartSource } from '../source.ts';

/** What a start in a microVM of a pool needs of the server. */
export type PoolStartHost = PoolHost &
  PlacesHost &
  Pick<RunServices, 'events' | 'restarts' | 'running' | 'shutdown'> & { readonly pools: VmPools };

/** The disks of volumes, and of images that the box mounts, by this name. */
const MOUNTS = 'mounts';

export class PoolSource implements StartSource {
  readonly #rt: PoolStartHost;
  readonly #box: Box;
  readonly #found: Found;
  #pooled: PooledVm | undefined;

  constructor(rt: PoolStartHost, box: Box, found: Found) {
    this.#rt = rt;
    this.#box = box;
    this.#found = found;
  }

  async acquire(openOutput: () => Promise<number>): Promise<Acquired | undefined> {
    const { definition } = this.#box;
    await this.#expectPorts();
    const pooled = this.#rt.pools.take(definition, this.#found);
    if (pooled === undefined) return undefined;
    this.#pooled = pooled;
    const { vm, identity, guest, taken } = pooled;
    const source = taken.template.key;
    // On record before anything is done to the microVM, so that the next server finds it.
    this.#rt.store.amend(definition.id, {
      ports: [],
      machine: { id: vm.id, identity, start: 'pool', source },
    });
    const opened = openOutput();
    return {
      ...{ vm, guest, held: taken },
      prepareGuest: (running) => this.#prepareGuest(running, pooled, opened),
    };
  }

  async #prepareGuest(
    running: RunningBox,
    pooled: PooledVm,
    opened: Promise<number>,
  ): Promise<PreparedMain> {
    const { definition } = this.#box;
    const { vm, guest, taken } = pooled;
    const found = this.#found;
    const changes = { disks: [], serial: TEMPLATE_SLOTS.changes, throwaway: undefined };
    const directory = runtimeDirectory(this.#rt, vm.id);
    const limits = hostLimitsOf(definition);
    const joining = this.#join(pooled);
    try {
      const [{ joined, attached }] = await settleAll([joining, this.#share(pooled)]);
      const { spec } = describeVm(definition, {
        ...{ found, directory, changes, taken, joined },
      });
      await settleAll([this.#attachDisks(pooled), takeChanges(this.#rt, definition, pooled)]);
      const durable = syncWritableLayer(this.#rt, definition);
      durable.catch(() => undefined);
      const handshake = new Handshake(vm.id, taken.protocol, (guest) => guest.putSpec(spec));
      // A request that is sent while the guest is paused is there when the guest goes on.
      await settleAll([vm.resume(), handshake.known.first(guest, running.signal)]);
      // A failure comes before the guest gives up waiting for its card.
      await attached;
      if (limits !== undefined) await vm.applyLimits(limits);
      await handshake.specSent;
      return { guest, offset: await opened, durable };
    } finally {
      // The next source has ports of its own on record.
      await joining.then(({ attached }) => attached).catch(() => undefined);
    }
  }

  /** No file is handed to the VMM meanwhile but the one that `#join` may hand over. */
  async #share({ vm, identity }: PooledVm): Promise<void> {
    const { shares } = this.#found;
    if (shares.length === 0) return;
    const { processors } = hostLimitsOf(this.#box.definition) ?? {};
    await vm.attachShares(shares, { identity, processors });
  }

  /** Disks have ports that no share has, so they come after the shares. */
  async #attachDisks({ vm }: PooledVm): Promise<void> {
    const { layers, mountDisks } = this.#found;
    await vm.attach(layers);
    if (mountDisks.length > 0) await vm.attachDisks(MOUNTS, mountDisks);
  }

  /**
   * A start that a taken port would fail spends no microVM.
   *
   * @throws A3sError as `resolvePorts`
   */
  async #expectPorts(): Promise<void> {
    const asked = portsInNetworks(this.#rt, this.#box.definition);
    if (asked.length === 0 || this.#rt.pools.list().every(({ ready }) => ready === 0)) return;
    await resolvePorts(asked);
  }

  /**
   * The microVM gets its card now, since what a card leads to cannot be changed. In the default
   * network the guest goes on meanwhile, and waits for the card when it needs it. In others it goes
   * on while the network is made.
   */
  async #join({ vm, identity }: PooledVm): Promise<{
    readonly joined: Pick<JoinedNetwork, 'nic' | 'network' | 'hosts'>;
    readonly attached: Promise<unknown>;
  }> {
    const { definition } = this.#box;
    const nothing = { state: {}, besides: Promise.resolve() };
    const attach = async (joined: JoinedNetwork): Promise<JoinedNetwork> => {
      const { nic } = joined;
      if (nic === undefined) throw new A3sError('internal', 'The box has no network card');
      const { mac, ports, tap } = nic;
      await vm.attachNic(0, { mac, uplink: tap === undefined ? { ports, identity } : { tap } });
      return joined;
    };
    if (isLedByHost(definition)) {
      const joined = await joinOnPorts(this.#rt, this.#box, nothing, attach);
      return { joined, attached: joined.whole };
    }
    const joined = await ownNetwork(definition, []);
    if (joined.nic === undefined) return { joined, attached: Promise.resolve() };
    const attached = joinOnPorts(this.#rt, this.#box, nothing, attach);
    attached.catch(() => undefined);
    return { joined, attached };
  }

  /**
   * The next source is tried where the microVM may be the cause: nothing of the box has run, and
   * nothing is left of it.
   */
  async onFailure(error: unknown): Promise<'next' | 'fail'> {
    const pooled = this.#pooled;
    if (pooled === undefined) return 'fail';
    const { id } = this.#box.definition;
    if (this.#rt.running.get(id)?.released === true) {
      // A server that stops leaves the microVM to the next one.
      await rm(pooled.directory, { recursive: true, force: true });
      return 'fail';
    }
    // The microVM may not be on record, and then nothing else would end it.
    await endPooled(this.#rt, pooled);
    // The disk came from the microVM: the box has no writable layer of its own yet.
    await rm(writableLayerPath(this.#rt, id), { force: true });
    if (!(error instanceof A3sError) || isInterrupted(this.#rt)) return 'fail';
    // The microVM already has the memory of its template, so no failure is the template's any more.
    if (ERRORS[error.code].machineFault !== 'possible') return 'fail';
    const machine = pooled.vm.id;
    this.#rt.log.error('a box could not start in a microVM of a pool', error, { box: id, machine });
    publish(this.#rt, this.#box, 'pool-failed', { machine, reason: error.message });
    return 'next';
  }
}

/** The microVM's writable layer becomes the box's. */
async function takeChanges(
  rt: Pick<Services, 'home'>,
  { id, identity }: BoxDefinition,
  { writableLayerPath: from, directory }: PooledVm,
): Promise<void> {
  const to = writableLayerPath(rt, id);
  try {
    await rename(from, to);
    if (process.geteuid?.() === 0) await chown(to, identity.uid, identity.gid);
    await rm(directory, { recursive: true, force: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError('vmm-failed', `Cannot take the disk of a microVM of a pool: ${why}`, {
      cause,
    });
  }
}
