/**
 * The other networks of a box at its start: those that its microVM was not launched with.
 *
 * @module
 */
import { permittedNetworks } from '../confidential/permitted-networks.ts';
import type { Box } from '../record/box.ts';
import type { BoxStore } from '../record/store.ts';
import { guestNetworks } from '../run/guest-networks.ts';
import { linkEndpoint, linkPlaces, networkOfLinkers } from '../run/link-places.ts';
import {
  attachCard,
  freeCard,
  furtherEndpoints,
  type PlacesHost,
  publishingPlace,
} from '../run/network-places.ts';
import type { RunningBox } from '../run/running-box.ts';
import type { Services } from '../services/services.ts';
import { hasLinks } from '../spec/links.ts';

function hasLinkLocal({ definition }: Pick<Box, 'definition'>): boolean {
  const { network, ownLinkLocal, endpoints } = definition;
  if (network === 'default' && ownLinkLocal !== undefined) return true;
  return endpoints.some(({ linkLocal }) => linkLocal !== undefined);
}

/**
 * Before the main process runs, so that it finds all networks, and the boxes that it is linked to.
 * The end of the run takes them.
 */
export async function joinNetworks(
  rt: PlacesHost & Pick<Services, 'log'> & { readonly store: Pick<BoxStore, 'expect' | 'get'> },
  box: Pick<Box, 'definition' | 'name'>,
  running: RunningBox,
): Promise<void> {
  const { confidential } = box.definition;
  // Those of a confidential microVM are there since its launch.
  const others = confidential === undefined ? furtherEndpoints(box.definition) : [];
  // No box spec has a word for IPv6.
  const hasIpv6 = rt.networks.endpointsOfBox(running.id).some(({ ipv6 }) => ipv6 !== undefined);
  const linked = linkPlaces(rt.networks, running.id);
  const linkers = networkOfLinkers(rt.networks, box.definition);
  // The guest of a confidential box has constants until then, as its launch spec is no box spec.
  const isChosen = permittedNetworks(box.definition) !== undefined;
  const isPlain = others.length + linked.length === 0 && linkers === undefined && !isChosen;
  if (isPlain && !hasLinks(box.definition) && !hasIpv6 && !hasLinkLocal(box)) return;
  const publishing = publishingPlace(rt, box.definition);
  for (const [at, asked] of others.entries()) {
    const ports = asked === publishing ? rt.store.expect(running.id).state.ports : [];
    await attachCard(rt, box, running.vm, { asked, card: at + 1, ports });
  }
  // The box was put on record there before its microVM was launched.
  for (const { network: of, place } of linked) {
    const asked = linkEndpoint(of, running.id);
    await attachCard(rt, box, running.vm, { asked, card: place.card, ports: [] });
  }
  if (linkers !== undefined) {
    const asked = linkEndpoint(linkers, running.id);
    await attachCard(rt, box, running.vm, { asked, card: freeCard(rt, box), ports: [] });
  }
  const guest = await running.guest();
  await guest.putNetworks(guestNetworks(rt, box), running.signal);
}
