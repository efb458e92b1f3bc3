/**
 * The directory of a pod, which holds the writable layers of its containers.
 *
 * @module
 */
import { join } from 'node:path';
import type { ContainerDefinition } from './container.ts';

export function podsDirectory({ home }: { readonly home: string }): string {
  return join(home, 'pods');
}

export function podDirectory(rt: { readonly home: string }, id: string): string {
  return join(podsDirectory(rt), id);
}

/** The disk that holds what a container writes. */
export function containerDisk(
  rt: { readonly home: string },
  { id, pod }: Pick<ContainerDefinition, 'id' | 'pod'>,
): string {
  return join(podDirectory(rt, pod), `${id}.ext4`);
}

/**
 * The disk that the guest of a pod from a template has in its slot, until a container takes it for
 * its own.
 */
export function slotDisk(rt: { readonly home: string }, pod: string): string {
  return join(podDirectory(rt, pod), 'slot.ext4');
}
