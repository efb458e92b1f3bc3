/**
 * The shape of pods' microVMs, and the share that each of them has.
 *
 * @module
 */
import type { Share } from '../../engine/vm/devices.ts';
import type { GuestBoot } from '../../engine/vm/guest-boot.ts';
import type { VmShape } from '../../engine/vm/template.ts';
import { vmCpus } from './resources.ts';

/**
 * Root ports for what is attached while a pod runs: one for the shares of mounts, and twelve for
 * the disks of containers, each with up to seven layers. As many as a pod of Kubernetes has
 * containers, mostly.
 */
const SPARE_PORTS = 13;

/** The tag of the share that every pod has. */
export const POD_SHARE = 'pod';

/** @param nanoCpus 0: without a limit */
export function podShape(nanoCpus: number, boot: GuestBoot): VmShape {
  return { cpus: vmCpus(nanoCpus), boot, sparePorts: SPARE_PORTS };
}

/** @param path of the node, below which the mounts of containers are made */
export function podShare(path: string): Share {
  return { tag: POD_SHARE, path, readonly: false, mountsBelow: true };
}
