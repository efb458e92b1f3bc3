/**
 * The network that every box sees: its own, behind a user-mode translator. It is the same for all boxes, so nothing of
 * the host's addresses shows inside.
 *
 * @module
 */

/** Goes into the box spec as it is. */
export const GUEST_NETWORK = {
  address: '10.0.2.15',
  prefixLength: 24,
  gateway: '10.0.2.2',
  /** Forwarded to the host's resolver, which may well listen on the host's loopback. */
  nameserver: '10.0.2.3',
  /** The largest that the translator takes. It ends TCP on the host, so no path outside must carry it. */
  mtu: 65_520,
} as const;
