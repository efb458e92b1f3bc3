/**
 * What the node has prepared for a pod whose microVM is to start.
 *
 * @module
 */
import type { PodAttachment } from '../../networks/cni/pod-networks.ts';

export interface PodPlaces {
  /** In the network that pods share. */
  readonly attached: PodAttachment | undefined;
  /** The directory below which containers' mounts are made; undefined: they have none. */
  readonly shared: string | undefined;
}
