/**
 * Launches a microVM on the ports that a box publishes.
 *
 * @module
 */
import { linkedSignal } from '../../async/linked-signal.ts';
import { settleAll } from '../../async/settle-all.ts';
import type { Vm } from '../../engine/vm/vm.ts';
import type { VmSpec } from '../../engine/vm/vm-spec.ts';
import { A3sError } from '../../errors.ts';
import type { Box, BoxState, Port } from '../record/box.ts';
import type { BoxStore } from '../record/store.ts';
import {
  hasLimitedOwn,
  isRelayed,
  type PlacesHost,
  portsInNetworks,
} from '../run/network-places.ts';
import { relayedPorts } from '../run/relayed-ports.ts';
import type { Services } from '../services/services.ts';
import { type JoinedNetwork, joinNetwork } from './join-network.ts';
import { choosePorts } from './relay-ports.ts';

/** The most launches of one start. */
const ATTEMPTS = 3;

/** What a launch on ports needs of the server. `shutdown` ends it. */
export type PortsHost = PlacesHost &
  Pick<Services, 'engine' | 'shutdown'> & {
    /** Where the microVM and its ports are recorded. */
    readonly store: Pick<BoxStore, 'amend'>;
  };

/** What a launch needs, once its ports have their real numbers. */
export interface LaunchPlan<Disks, Description extends { readonly vm: VmSpec }> {
  /** What is recorded of the microVM. */
  readonly state: Partial<Omit<BoxState, 'status' | 'ports'>>;
  /** The disks, which are made while the ports are chosen. */
  readonly disks: Promise<Disks>;
  readonly describe: (ports: readonly Port[], disks: Disks, joined: JoinedNetwork) => Description;
  /**
   * Whether the microVM is launched while its network is still being made. The caller awaits that,
   * before anything of the box runs.
   */
  readonly meanwhile?: boolean;
}

/**
 * Chooses the ports and launches the microVM. A port that was free when it was chosen may be taken
 * when it is bound; then another one is chosen.
 *
 * Ports and microVM are on record before anything runs or is bound. So a server that takes over
 * finds the microVM and knows its ports.
 */
export async function launchOnPorts<Disks, Description extends { readonly vm: VmSpec }>(
  rt: PortsHost,
  box: Box,
  { state, disks: made, describe, meanwhile = false }: LaunchPlan<Disks, Description>,
): Promise<{
  readonly vm: Vm;
  readonly disks: Disks;
  readonly description: Description;
  /** Settles when the network is made. */
  readonly whole: Promise<void>;
}> {
  return await joinOnPorts(rt, box, { state, besides: made }, async (joined, ports, disks) => {
    const { whole } = joined;
    if (!meanwhile) await whole;
    const shutdown = linkedSignal(rt.shutdown);
    try {
      const description = describe(ports, disks, joined);
      const vm = await rt.engine.launch(description.vm, shutdown.signal);
      return { vm, disks, description, whole };
    } finally {
      shutdown.unlink();
    }
  });
}

/** What is recorded with the ports, and what is done while they are chosen. */
interface BesidePorts<T> {
  readonly state: LaunchPlan<unknown, { readonly vm: VmSpec }>['state'];
  readonly besides: Promise<T>;
}

/**
 * Chooses the ports, puts the box into the network that its microVM begins with, and uses both,
 * maybe before the network is whole. A port that was free when it was chosen may be taken when it
 * is bound; then all is done again.
 */
export async function joinOnPorts<Besides, Result>(
  rt: Omit<PortsHost, 'engine' | 'shutdown'>,
  box: Box,
  { state, besides }: BesidePorts<Besides>,
  use: (joined: JoinedNetwork, ports: readonly Port[], besides: Besides) => Promise<Result>,
): Promise<Result> {
  const { id } = box.definition;
  const asked = portsInNetworks(rt, box.definition);
  for (let attempt = 1; ; attempt += 1) {
    let joined: JoinedNetwork | undefined;
    let ports: readonly Port[] = asked;
    try {
      const chosen = freePorts(rt, box.definition).then(() =>
        choosePorts(asked, isRelayed(rt, box.definition)),
      );
      const [all, done] = await settleAll([chosen, besides]);
      ports = all;
      rt.store.amend(id, { ...state, ports: all });
      joined = await joinNetwork(rt, box, ports);
      await rt.hostNetworks.relay(id, relayedPorts(ports));
      return await use(joined, ports, done);
    } catch (error) {
      // What comes next must not find it half made.
      await joined?.whole.catch(() => undefined);
      if (!mayTryOtherPorts(error, [...asked, ...ports], attempt)) throw error;
    } finally {
      joined?.release();
    }
  }
}

/** An attempt that failed has its ports until then. */
async function freePorts(
  { hostNetworks }: Pick<PortsHost, 'hostNetworks'>,
  definition: Box['definition'],
): Promise<void> {
  const { id, endpoints } = definition;
  await hostNetworks.relay(id, []);
  if (endpoints.length > 0 || hasLimitedOwn(definition)) await hostNetworks.detach(id);
}

/**
 * Whether a failed launch may succeed on other ports.
 *
 * @param ports as they were requested, and as they were chosen
 * @param attempt the number of the failed attempt, from 1
 */
function mayTryOtherPorts(error: unknown, ports: readonly Port[], attempt: number): boolean {
  const busy = error instanceof A3sError && error.code === 'port-in-use';
  return busy && ports.some(isChosenAtStart) && attempt < ATTEMPTS;
}

/** A relay's own port is chosen as well. */
function isChosenAtStart({ hostPort, hostPortEnd, relay }: Port): boolean {
  return hostPort === 0 || hostPortEnd !== undefined || relay !== undefined;
}
