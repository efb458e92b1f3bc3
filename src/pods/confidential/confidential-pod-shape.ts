/**
 * The size of a confidential pod's microVM, which its launch spec decides and no node: the number
 * of processors is part of the launch digest.
 *
 * @module
 */
import type { PodLaunchSpec } from '@a3s-box/policies';
import { vmCpus } from '../../boxes/spec/resources.ts';

const NANO_PER_MILLI = 1_000_000;

/** Root ports, each for the layers of one container, or of eight of its layers. */
const SPARE_PORTS = 16;

export function confidentialPodShape({ cpuMillis = 0 }: PodLaunchSpec['resources']): {
  readonly cpus: number;
  readonly sparePorts: number;
} {
  return { cpus: vmCpus(cpuMillis * NANO_PER_MILLI), sparePorts: SPARE_PORTS };
}
