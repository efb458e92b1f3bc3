/**
 * The user-defined networks of one home, and the places of boxes in them. Only records are made
 * here.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { A3sError } from '../errors.ts';
import { allocate, type WantedAddress } from './allocate.ts';
import { allocate6 } from './allocate6.ts';
import { chooseSubnet } from './choose-subnet.ts';
import { formatAddress, formatSubnet, overlap, readSubnet, type Subnet } from './ipv4.ts';
import { overlap6, readSubnet6 } from './ipv6.ts';
import { planLinks } from './links.ts';
import {
  checkNetworkName,
  type Endpoint,
  type NetworkRecord,
  type UserNetworks,
} from './network.ts';
import { checkOptions } from './options.ts';
import { planSubnet6, recordedSubnet6 } from './plan-subnet6.ts';
import { BRIDGE_SUBNET, PREDEFINED_NETWORKS, type PredefinedNetwork } from './predefined.ts';
import type { NetworkRecords } from './records.ts';
import { type NetworkRequest, type PlannedSubnet, planSubnet } from './request.ts';

/** Each network takes processes of the host while a box is in it. */
export const MAX_NETWORKS = 64;

export interface NetworksOptions {
  readonly records: NetworkRecords;
  /** Whether this host can start boxes in these networks. */
  userNetworks(): Promise<UserNetworks>;
  /** Subnets that the server does not choose for a network: the host uses them. */
  hostSubnets(): Promise<readonly Subnet[]>;
  onEvent(action: 'create' | 'destroy', network: NetworkRecord): void;
  onEvent(action: 'connect' | 'disconnect', network: NetworkRecord, box: string): void;
  /** The time, as records have it. */
  now(): string;
}

export class Networks {
  readonly #options: NetworksOptions;
  readonly #records: NetworkRecords;

  constructor(options: NetworksOptions) {
    this.#options = options;
    this.#records = options.records;
  }

  /** By name. Neither the predefined ones nor those of links are among them. */
  list(): NetworkRecord[] {
    return this.all().filter(({ links }) => links === undefined);
  }

  /** The user-defined ones, and those of links. */
  all(): NetworkRecord[] {
    return this.#records.list();
  }

  /** The network of a box and of those that are linked to it, while any of them is in it. */
  linksTo(box: string): NetworkRecord | undefined {
    return this.all().find(({ links }) => links === box);
  }

  /** By its full id. */
  get(id: string): NetworkRecord | undefined {
    return this.#records.get(id);
  }

  /**
   * Finds a network as Docker does: by its id, else by its name, else by a part that its id alone
   * begins with.
   *
   * @throws A3sError `no-such-network`; `invalid-argument` where several ids begin so
   */
  find(reference: string): NetworkRecord | PredefinedNetwork {
    const all = [...PREDEFINED_NETWORKS, ...this.list()];
    const exact =
      all.find(({ id }) => id === reference) ?? all.find(({ name }) => name === reference);
    if (exact !== undefined) return exact;
    const shown = reference.slice(0, 128);
    const [found, ...others] =
      reference === '' ? [] : all.filter(({ id }) => id.startsWith(reference));
    if (found === undefined) {
      throw new A3sError('no-such-network', `network ${shown} not found`, {
        remedy: 'List them with a3s-box network ls.',
      });
    }
    if (others.length === 0) return found;
    throw new A3sError(
      'invalid-argument',
      `network ${shown} is ambiguous (${others.length + 1} matches found based on ID prefix)`,
      { remedy: 'Give more digits of the id, or the name.' },
    );
  }

  /**
   * Creates a network. The host makes nothing of it before a box starts in it.
   *
   * @throws A3sError `invalid-argument`, `name-in-use`, `network-forbidden`, `unsupported-option`,
   * `conflict`
   */
  async create(request: NetworkRequest): Promise<NetworkRecord> {
    checkNetworkName(request.name);
    checkOptions(request.options);
    const { addresses } = request;
    const planned = addresses === undefined ? undefined : planSubnet(addresses);
    const ipv6 = planSubnet6(request);
    const ofHost = planned === undefined ? await this.#options.hostSubnets() : [];
    // From here on without a pause, so that no other network comes between the check and the
    // record.
    const [others, all] = [this.list(), this.all()];
    if (others.some(({ name }) => name === request.name)) {
      throw new A3sError('name-in-use', `network with name ${request.name} already exists`, {
        remedy: 'Choose another name.',
      });
    }
    if (others.length >= MAX_NETWORKS) {
      throw new A3sError(
        'conflict',
        `Cannot create the network: there are ${MAX_NETWORKS} of them, and no more can be`,
        { remedy: 'Remove networks that no box needs: a3s-box network prune.' },
      );
    }
    const taken = subnetsOf(all);
    const { subnet, gateway, ipRange, auxAddresses } = planned ?? chosen(taken, ofHost);
    const taken6 = others.flatMap((other) => (other.ipv6 === undefined ? [] : [other.ipv6.subnet]));
    if (
      taken.some((other) => overlap(other, subnet)) ||
      (ipv6 !== undefined && taken6.some((other) => overlap6(readSubnet6(other), ipv6.subnet)))
    ) {
      throw new A3sError(
        'network-forbidden',
        'invalid pool request: Pool overlaps with other one on this address space',
        { remedy: 'Choose a subnet that no other network has.' },
      );
    }
    const network = this.#records.insert({
      id: randomBytes(32).toString('hex'),
      name: request.name,
      createdAt: this.#options.now(),
      driver: 'bridge',
      subnet: formatSubnet(subnet),
      gateway: formatAddress(gateway),
      ...(ipRange === undefined ? {} : { ipRange: formatSubnet(ipRange) }),
      ...(ipv6 === undefined ? {} : { ipv6: recordedSubnet6(ipv6) }),
      internal: request.internal,
      attachable: request.attachable,
      labels: { ...request.labels },
      options: { ...request.options },
      ...(request.egress === undefined ? {} : { egress: request.egress }),
      asked: {
        ...(addresses === undefined ? {} : { subnet: formatSubnet(subnet) }),
        ...((request.ipv6?.subnet ?? '') === '' ? {} : { subnet6: true }),
        ...(request.withoutOptions === true ? { withoutOptions: true } : {}),
        ...(addresses === undefined || addresses.gateway === ''
          ? {}
          : { gateway: formatAddress(gateway) }),
        auxAddresses: Object.fromEntries(
          Object.entries(auxAddresses).map(([name, address]) => [name, formatAddress(address)]),
        ),
      },
    });
    this.#options.onEvent('create', network);
    return network;
  }

  /**
   * The network of a box and of those that are linked to it, which is made where it is missing. No
   * command shows it. It is gone with the last box in it.
   *
   * @throws A3sError `conflict` where there are too many, `invalid-argument` where no subnet is
   * left
   */
  async openLinks(box: string): Promise<NetworkRecord> {
    const ofHost = await this.#options.hostSubnets();
    // From here on without a pause, as in `create`.
    const existing = this.linksTo(box);
    if (existing !== undefined) return existing;
    const all = this.all();
    if (all.length - this.list().length >= MAX_NETWORKS) {
      throw new A3sError(
        'conflict',
        `Cannot link to the box: ${MAX_NETWORKS} boxes are linked to, and no more can be`,
        { remedy: 'Use one user-defined network, in which boxes find each other by name.' },
      );
    }
    const subnet = chooseSubnet([...subnetsOf(all), ...ofHost]);
    return this.#records.insert({
      ...{ id: randomBytes(32).toString('hex'), createdAt: this.#options.now() },
      ...planLinks(box, subnet),
    });
  }

  /**
   * Boxes that do not run may still name the network; they do not start any more.
   *
   * @throws A3sError `no-such-network`; `network-forbidden` for a predefined one; `network-in-use`
   * where a box is attached
   */
  remove(reference: string): NetworkRecord {
    const network = this.find(reference);
    if (isPredefined(network)) {
      throw new A3sError(
        'network-forbidden',
        `${network.name} is a pre-defined network and cannot be removed`,
        { remedy: 'Name another network.' },
      );
    }
    if (this.#records.endpointsOf(network.id).length > 0) {
      throw new A3sError(
        'network-in-use',
        `error while removing network: network ${network.name} has active endpoints`,
        { remedy: 'Stop the boxes in it first.' },
      );
    }
    this.#records.remove(network.id);
    this.#options.onEvent('destroy', network);
    return network;
  }

  /**
   * Removes the networks that the test holds for and no box is attached to.
   *
   * @returns those that were removed
   */
  prune(test: (network: NetworkRecord) => boolean): NetworkRecord[] {
    return this.list()
      .filter((network) => this.#records.endpointsOf(network.id).length === 0 && test(network))
      .map(({ id }) => this.remove(id));
  }

  /**
   * Gives a box its place in a network. A box that has one keeps it. It is on the disk when this
   * returns.
   *
   * @param card the number of the box's card in it
   * @param cardMac the hardware address of that card, where it is not that of the place
   *
   * @throws A3sError `no-such-network`, `invalid-argument`, `address-in-use`, `conflict` where the
   * network is full
   */
  attach(
    networkId: string,
    box: string,
    wanted: WantedAddress = {},
    card = 0,
    cardMac?: string,
  ): Endpoint {
    const network = this.#records.get(networkId);
    if (network === undefined) {
      throw new A3sError('no-such-network', `network ${networkId} not found`, {
        remedy: 'List them with a3s-box network ls.',
      });
    }
    const existing = this.#records.endpoint(networkId, box);
    if (existing !== undefined) return existing;
    const others = this.#records.endpointsOf(networkId);
    const { address, mac } = allocate(network, others, wanted);
    const ipv6 = allocate6(network, others, wanted.address6);
    const endpoint = this.#records.insertEndpoint({
      id: randomBytes(32).toString('hex'),
      ...{ network: networkId, box, address, mac, card },
      ...(cardMac === undefined || cardMac === mac ? {} : { cardMac }),
      prefixLength: readSubnet(network.subnet).bits,
      gateway: network.gateway,
      ...(ipv6 === undefined ? {} : { ipv6 }),
    });
    if (network.links === undefined) this.#options.onEvent('connect', network, box);
    return endpoint;
  }

  /** Takes a box's place in a network, if it has one: its address is free when this returns. */
  detach(networkId: string, box: string): void {
    const network = this.#records.get(networkId);
    if (network === undefined || this.#records.endpoint(networkId, box) === undefined) return;
    this.#records.removeEndpoint(networkId, box);
    if (network.links === undefined) this.#options.onEvent('disconnect', network, box);
    else this.#removeLinks(network);
  }

  /** Takes all places but these, of boxes whose runs have outlived an earlier server. */
  keepOnly(kept: (place: Endpoint) => boolean): void {
    for (const network of this.all()) {
      const { id } = network;
      for (const place of this.endpointsOf(id)) if (!kept(place)) this.detach(id, place.box);
      // A server that ended has made it, and has put no box into it.
      if (network.links !== undefined) this.#removeLinks(network);
    }
  }

  #removeLinks({ id }: NetworkRecord): void {
    if (this.#records.get(id) === undefined || this.endpointsOf(id).length > 0) return;
    this.#records.remove(id);
  }

  endpointsOf(networkId: string): Endpoint[] {
    return this.#records.endpointsOf(networkId);
  }

  endpointsOfBox(box: string): Endpoint[] {
    return this.#records.endpointsOfBox(box);
  }

  /** Whether this host can start boxes in these networks. */
  async availability(): Promise<UserNetworks> {
    return await this.#options.userNetworks();
  }

  /** @throws A3sError `network-unavailable` where this host cannot start boxes in these networks */
  async expectAvailable(what = 'start a box in a user-defined network'): Promise<void> {
    const { available, reason } = await this.availability();
    if (available) return;
    throw new A3sError(
      'network-unavailable',
      `Cannot ${what}: ${reason ?? 'this host cannot make a network'}`,
      {
        remedy: 'Create the box with --network default or none; a3s-box info says what is missing.',
      },
    );
  }
}

export function isPredefined(
  network: NetworkRecord | PredefinedNetwork,
): network is PredefinedNetwork {
  return PREDEFINED_NETWORKS.some(({ id }) => id === network.id);
}

/** Those of all networks, which no other one gets. */
function subnetsOf(networks: readonly NetworkRecord[]): Subnet[] {
  return [BRIDGE_SUBNET, ...networks.map(({ subnet }) => subnet)].map(readSubnet);
}

function chosen(taken: readonly Subnet[], ofHost: readonly Subnet[]): PlannedSubnet {
  const subnet = chooseSubnet([...taken, ...ofHost]);
  return { subnet, gateway: subnet.base + 1, ipRange: undefined, auxAddresses: {} };
}
