/**
 * All that a box has of networks, as its agent is told.
 *
 * @module
 */
import { GUEST_NETWORK } from '../../engine/network.ts';
import type { GuestNetworks } from '../../guest/networks.ts';
import { guestIpv6 } from '../../networks/host/guest-ipv6.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import type { BoxStore } from '../record/store.ts';
import type { Services } from '../services/services.ts';
import { activeLinks, boxLinkLines } from '../spec/box-links.ts';
import { hasLinks, linkedHosts } from '../spec/links.ts';
import { guestNic, macAddress } from '../spec/network.ts';
import { NETWORK_OPTIONS, resolverOf } from '../spec/resolver.ts';
import { linkPlaces } from './link-places.ts';
import { mtuIn } from './network-places.ts';

interface Joined {
  readonly card: GuestNetworks['cards'][number];
  /** By which Docker chooses the way out. */
  readonly name: string;
  readonly priority: number;
  readonly internal: boolean;
  readonly gateway: string;
}

/** By the definition of the box, as far as its places are on record. */
export function guestNetworks(
  rt: Pick<Services, 'networks' | 'log'> & { readonly store: Pick<BoxStore, 'get'> },
  { definition }: Pick<Box, 'definition'>,
): GuestNetworks {
  const { networks } = rt;
  const { id, names, network, endpoints, confidential } = definition;
  const places = new Map(networks.endpointsOfBox(id).map((place) => [place.network, place]));
  const users = endpoints.flatMap(({ network: of, gatewayPriority = 0, linkLocal }): Joined[] => {
    const [place, record] = [places.get(of), networks.get(of)];
    if (place === undefined || record === undefined) return [];
    const { address, prefixLength, gateway, ipv6, card } = place;
    const { cardMac: mac = place.mac } = place;
    return [
      {
        card: {
          ...{ device: `eth${card}`, mac, mtu: mtuIn(record), address, prefixLength },
          ...(ipv6 === undefined ? {} : { ipv6: guestIpv6(ipv6) }),
          ...(linkLocal === undefined ? {} : { linkLocal }),
        },
        ...{ name: record.name, priority: gatewayPriority, internal: record.internal, gateway },
      },
    ];
  });
  const links = linkPlaces(networks, id).map(({ place, network: of }) => {
    const { card, mac, address, prefixLength } = place;
    return { device: `eth${card}`, mac, mtu: mtuIn(of), address, prefixLength };
  });
  const all = network === 'default' ? [own(definition), ...users] : users;
  const [out] = all.filter(({ internal }) => !internal).sort(byPriority);
  const nic = guestNic('', names);
  const servers = [...users].sort(byPriority).map(({ gateway }) => gateway);
  return {
    cards: [...all.map(({ card }) => card), ...links],
    ...(out === undefined ? {} : { gateway: { device: out.card.device, address: out.gateway } }),
    // The DNS server of any network knows the boxes of all networks that the asking one is in.
    nameservers:
      servers.length > 0 ? servers.slice(0, 3) : network === 'default' ? nic.nameservers : [],
    // Those of a confidential box are in its launch spec, and its guest refuses others.
    ...(confidential === undefined
      ? resolverOf(names, servers.length > 0 ? NETWORK_OPTIONS : [])
      : { search: [] }),
    ...(hasLinks(definition) || activeLinks(rt, { definition }).length > 0
      ? { hosts: linkedHosts(rt, definition, boxLinkLines(rt, definition)) }
      : {}),
  };
}

/** Its own network, which is Docker's `bridge`. */
function own(definition: Pick<BoxDefinition, 'id' | 'mac' | 'ownLinkLocal'>): Joined {
  const { address, prefixLength, gateway, mtu } = GUEST_NETWORK;
  const { ownLinkLocal: linkLocal } = definition;
  const card = {
    ...{ device: 'eth0', mac: macAddress(definition), mtu, address, prefixLength },
    ...(linkLocal === undefined ? {} : { linkLocal }),
  };
  return { card, name: 'bridge', priority: 0, internal: false, gateway };
}

/** As Docker does: internal ones last, then the highest priority first, then by name. */
function byPriority(a: Joined, b: Joined): number {
  if (a.internal !== b.internal) return a.internal ? 1 : -1;
  return b.priority - a.priority || (a.name < b.name ? -1 : 1);
}
