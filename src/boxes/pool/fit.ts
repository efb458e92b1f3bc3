/**
 * Which boxes and pods a pool can serve.
 *
 * @module
 */

import { hotplugPorts } from '../../engine/hotplug-ports.ts';
import { HOTPLUG_CAPACITY, TEMPLATE_SLOTS } from '../../engine/vm/slots.ts';
import type { BoxDefinition } from '../record/box.ts';
import { isLedByHost } from '../run/network-places.ts';
import { askedCpus, vmCpus, vmMemory } from '../spec/resources.ts';
import { type PoolDefinition, poolMemory } from './definition.ts';
import type { PoolableParts, PoolablePod } from './vm-pools.ts';

/**
 * Why a box does not come from this pool; undefined: it can.
 *
 * This is the one place that decides it. The image policy has decided before. Confidential boxes do
 * not come here: their guests are measured from the first instruction on.
 */
export function reasonAgainst(
  pool: PoolDefinition,
  definition: BoxDefinition,
  { layers, shares, mountDisks, keptChanges }: PoolableParts,
): string | undefined {
  if (pool.pods) return 'its microVMs are for pods';
  const { memoryBytes, storage, endpoints } = definition;
  const isLed = isLedByHost(definition);
  // Its card is led to the box's own place in a network before the box's guest goes on.
  const network = isLed ? 'default' : definition.network;
  const cpus = vmCpus(askedCpus(definition));
  if (network !== pool.network) return `its network is ${network}, the pool's ${pool.network}`;
  if (cpus !== pool.cpus) return `it has ${cpus} CPUs, the pool's microVMs ${pool.cpus}`;
  if (vmMemory(memoryBytes) > poolMemory(pool)) return 'it needs more memory';
  if (definition.network === 'user' && endpoints.length === 0) return 'it is in no network';
  if (shares.length > 0 && !pool.mounts) return 'it mounts directories, the pool has no mounts';
  const ports = hotplugPorts(mountDisks.length, shares.length);
  if (ports > HOTPLUG_CAPACITY.ports) {
    return `its ${mountDisks.length} disks and ${shares.length} shares are too many`;
  }
  if (storage !== undefined) return 'its writable layer has a size of its own';
  if (keptChanges) return 'it has run before';
  if (layers.length > TEMPLATE_SLOTS.layers.length) return `it has ${layers.length} layers`;
  return undefined;
}

/**
 * Why a pod does not come from this pool; undefined: it can. Confidential pods do not come here.
 *
 * Its network is the default one, or that of the node: its card is attached when it takes the
 * microVM.
 */
export function reasonAgainstPod(
  pool: PoolDefinition,
  { memoryBytes, nanoCpus, privileged }: PoolablePod,
): string | undefined {
  const cpus = vmCpus(nanoCpus);
  if (!pool.pods) return 'its microVMs are for boxes';
  // No driver is loaded in a guest once it was prepared.
  if (privileged) return 'it is privileged';
  if (cpus !== pool.cpus) return `it has ${cpus} CPUs, the pool's microVMs ${pool.cpus}`;
  if (vmMemory(memoryBytes) > poolMemory(pool)) return 'it needs more memory';
  return undefined;
}
