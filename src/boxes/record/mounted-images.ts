/**
 * The images of a box: its own, and those that it mounts.
 *
 * @module
 */
import type { BoxDefinition } from './box.ts';

type Recorded = Pick<BoxDefinition, 'image' | 'imageMounts'>;

/** Ids of the images that boxes and pods hold: none of them is removed. */
export function heldImages(rt: {
  readonly store: { list(): readonly { readonly definition: Recorded }[] };
  readonly pods: { imageIds(): string[] };
}): Set<string> {
  const ofBoxes = rt.store
    .list()
    .flatMap(({ definition: { image, imageMounts } }) =>
      [image, ...imageMounts.map((mount) => mount.image)].map(({ id }) => id),
    );
  return new Set([...ofBoxes, ...rt.pods.imageIds()]);
}
