/**
 * RAM that a VM gets beside that of its template.
 *
 * @module
 */
import type { Command } from './devices.ts';
import { RAM_BLOCKS } from './fork-devices.ts';

/** The unit in which the guest's kernel takes and returns RAM. */
const STEP = 128 * 2 ** 20;

export const inSteps = (bytes: number): number => Math.ceil(bytes / STEP) * STEP;

/** @param shared with file servers, as all other RAM of the VM then is */
export function growthPiece(missing: number, shared: boolean): [Command, Command] {
  const size = inSteps(missing);
  const id = RAM_BLOCKS.growth;
  const backend = shared ? 'memory-backend-memfd' : 'memory-backend-ram';
  return [
    ['object-add', { 'qom-type': backend, id, size, share: shared, dump: false, merge: false }],
    ['device_add', { driver: 'pc-dimm', id: 'dimm0', memdev: id }],
  ];
}
