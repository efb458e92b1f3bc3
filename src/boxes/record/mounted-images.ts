/**
 * The images of a box: its own, and those that it mounts.
 *
 * @module
 */
import type { BoxDefinition } from './box.ts';

type Recorded = Pick<BoxDefinition, 'image' | 'imageMounts'>;

/** Ids of the images that boxes hold: none of them is removed. */
export function heldImages(boxes: readonly { readonly definition: Recorded }[]): Set<string> {
  return new Set(
    boxes.flatMap(({ definition: { image, imageMounts } }) =>
      [image, ...imageMounts.map((mount) => mount.image)].map(({ id }) => id),
    ),
  );
}
