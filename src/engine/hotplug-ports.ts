/**
 * How many root ports the devices take that a VM from a template has no slot for.
 *
 * @module
 */
import { HOTPLUG_CAPACITY } from './vm/slots.ts';

/** A port has disks or shares, but not both. */
export function hotplugPorts(disks: number, shares: number): number {
  const { functions } = HOTPLUG_CAPACITY;
  return Math.ceil(disks / functions) + Math.ceil(shares / functions);
}
