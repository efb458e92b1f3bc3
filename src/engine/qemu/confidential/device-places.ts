/**
 * Where the devices of a confidential VM are: on the root bus, each at its own place from the
 * start. Nothing is attached later, but for disks of a pod's containers: root ports for these come
 * first, and then the disks that are there from the start.
 *
 * @module
 */
import type { Slot } from '../command-line/slots.ts';

const BUS = 'pcie.0';
const FUNCTIONS = 8;
const FIRST_DISK = 4;
/** The chipset's bridges are above it. */
const LAST_DISK = 0x1e;

/** How many disks there is room for, in a VM without root ports. */
export const MOST_DISKS = (LAST_DISK - FIRST_DISK + 1) * FUNCTIONS;

/** How many disks there is room for beside this many root ports; below 0: not even for those. */
export function roomForDisks(ports: number): number {
  return MOST_DISKS - ports * FUNCTIONS;
}

/** Options that place a device which every confidential VM has. */
export const FIXED_PLACES = {
  random: `bus=${BUS},addr=0x1`,
  serial: `bus=${BUS},addr=0x2`,
} as const;

/** @returns the places of this many cards, of which there are at most 8 */
export function cardPlaces(count: number): Slot[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{ bus: BUS, addr: `0x3.0x${index}`, multifunction: count > 1 },
  }));
}

/** @returns the places of this many root ports */
export function portPlaces(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    return `bus=${BUS},addr=0x${(FIRST_DISK + index).toString(16)}`;
  });
}

/** @returns index of each disk with its place, in their order */
export function diskPlaces(count: number, ports = 0): [number, Slot][] {
  return Array.from({ length: count }, (_, index) => {
    const device = FIRST_DISK + ports + Math.floor(index / FUNCTIONS);
    const addr = `0x${device.toString(16)}.0x${index % FUNCTIONS}`;
    return [index, { bus: BUS, addr, multifunction: true }];
  });
}
