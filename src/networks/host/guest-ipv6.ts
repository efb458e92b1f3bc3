/**
 * What a guest has of IPv6: its address, and a router that is the host's side of its card.
 *
 * @module
 */
import { GATEWAY_MAC } from './routed.ts';
import { ROUTER6 } from './routed6.ts';

/** As the agent takes it. */
export interface GuestIpv6 {
  readonly address: string;
  readonly prefixLength: number;
  readonly router: string;
  readonly routerMac: string;
}

export function guestIpv6(place: Pick<GuestIpv6, 'address' | 'prefixLength'>): GuestIpv6 {
  const { address, prefixLength } = place;
  return { address, prefixLength, router: ROUTER6, routerMac: GATEWAY_MAC };
}
