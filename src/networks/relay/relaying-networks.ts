/**
 * Networks of the host, and the ports at IPv6 addresses that lead to boxes without IPv6.
 *
 * @module
 */
import type { Endpoint } from '../host/endpoint.ts';
import type { Attachment, HostNetworks, Place } from '../host/host-networks.ts';
import type { BoxRefusal } from '../host/limit-box.ts';
import type { UserNetworks } from '../network.ts';
import type { PortRelays } from './port-relays.ts';
import type { RelayedPort } from './relayed-port.ts';

/** What the server asks of the host's networks, and of its published ports. */
export interface RelayedNetworks extends HostNetworks {
  /**
   * Leads these ports to the loopback for a box, in place of those that it has.
   *
   * @throws A3sError `port-in-use`, `invalid-argument`, `network-failed`
   */
  relay(box: string, ports: readonly RelayedPort[]): Promise<void>;
  /** Takes over what an earlier server has led for boxes, and takes away what is left of others. */
  reconcileRelays(wanted: ReadonlyMap<string, readonly RelayedPort[]>): Promise<void>;
}

export class RelayingNetworks implements RelayedNetworks {
  readonly #networks: HostNetworks;
  readonly #relays: PortRelays;

  constructor(networks: HostNetworks, relays: PortRelays) {
    this.#networks = networks;
    this.#relays = relays;
  }

  availability(): Promise<UserNetworks> {
    return this.#networks.availability();
  }

  attach(endpoint: Endpoint): Promise<Attachment> {
    return this.#networks.attach(endpoint);
  }

  publish(endpoint: Endpoint): Promise<void> {
    return this.#networks.publish(endpoint);
  }

  detach(box: string, network?: string): Promise<void> {
    return this.#networks.detach(box, network);
  }

  reconcile(kept: readonly Place[]): Promise<void> {
    return this.#networks.reconcile(kept);
  }

  relay(box: string, ports: readonly RelayedPort[]): Promise<void> {
    return this.#relays.publish(box, ports);
  }

  reconcileRelays(wanted: ReadonlyMap<string, readonly RelayedPort[]>): Promise<void> {
    return this.#relays.reconcile(wanted);
  }

  async repair(): Promise<void> {
    await this.#networks.repair();
    await this.#relays.repair();
  }

  refusals(): Promise<readonly BoxRefusal[]> {
    return this.#networks.refusals();
  }
}
