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
   * The translator ends TCP on the host, so no path outside must carry packets of this size. A
   * frame of it, with the header and the length before it, is one write to the translator's socket,
   * which takes it whole or not at all: a kernel splits writes at 32 KiB and more. VMs of earlier
   * versions have their card on a hub of QEMU, which corrupts what it wrote in part: it sends the
   * next frame's bytes as the rest of the one before.
   */
  mtu: 32_700,
} as const;

/** The largest that the host's side of a network carries by a tap device, which takes it whole. */
export const TAP_MTU = 65_520;
