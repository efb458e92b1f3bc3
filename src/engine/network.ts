/**
 * The guest's network, behind a user-mode translator. It is the same for all boxes, so none of the
 * host's addresses shows inside.
 *
 * @module
 */

/** The box spec carries this value unchanged. */
export const GUEST_NETWORK = {
  address: '10.0.2.15',
  prefixLength: 24,
  gateway: '10.0.2.2',
  /** Forwarded to the host's resolver, which may listen on the host's loopback. */
  nameserver: '10.0.2.3',
  /**
   * The largest MTU that the translator takes. The translator ends TCP on the host, so no path
   * outside must carry packets of this size.
   */
  mtu: 65_520,
} as const;
