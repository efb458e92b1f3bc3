/**
 * The root of a pod's first container: in a microVM from a template, its disks are in the slots
 * that the guest has from the start. Disks that are attached later have the guest find a device and
 * start a driver for it, which takes longer than all else of a start.
 *
 * @module
 */
import { rename } from 'node:fs/promises';
import { TEMPLATE_SLOTS } from '../../engine/vm/slots.ts';
import type { BootLayer } from '../../images/image.ts';
import { ifMissing } from '../../networks/host/if-missing.ts';
import type { PodHost } from '../pod-host.ts';
import type { Container } from '../record/container.ts';
import { containerDisk, slotDisk } from '../record/directories.ts';

/**
 * Takes the slots of the pod's microVM for the container, whose writable layer is the disk in them
 * then. They are taken once: the guest may have read them.
 *
 * @returns whether the container has them: not where it has more layers than there are slots, where
 * another one took them, or where the microVM has none
 */
export async function takeSlots(
  rt: Pick<PodHost, 'home'>,
  { definition }: Container,
  layers: readonly BootLayer[],
): Promise<boolean> {
  if (layers.length > TEMPLATE_SLOTS.layers.length) return false;
  const taken = await rename(slotDisk(rt, definition.pod), containerDisk(rt, definition)).then(
    () => true,
    ifMissing,
  );
  return taken ?? false;
}
