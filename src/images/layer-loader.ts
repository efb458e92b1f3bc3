/**
 * Checks every layer of the images of an archive by making its disk.
 *
 * @module
 */
import type { ImagePlan, PlannedLayer } from './archive/image-plan.ts';
import type { StoredLayer } from './converter/converter.ts';
import {
  type DiskPlan,
  type Disks,
  mergedCount,
  type PlannableLayer,
  planDisks,
  standAlone,
} from './disks.ts';

export interface LoadedImage extends ImagePlan {
  readonly layers: readonly (PlannedLayer & PlannableLayer)[];
}

export class LayerLoader {
  readonly #disks: Disks;
  readonly #progress: ((line: string) => void) | undefined;
  /** By diff ID and blob: one layer may come in two forms, and each is checked, once. */
  readonly #checked = new Map<string, Promise<boolean>>();

  constructor(disks: Disks, progress: ((line: string) => void) | undefined) {
    this.#disks = disks;
    this.#progress = progress;
  }

  async load(images: readonly ImagePlan[]): Promise<readonly LoadedImage[]> {
    return await settleAll(images.map((image) => this.#loadImage(image)));
  }

  async #loadImage(image: ImagePlan): Promise<LoadedImage> {
    const merged = mergedCount(image.layers);
    const layers = await settleAll(
      image.layers.map(async (layer, index) => ({
        ...layer,
        // Merged layers are checked below, with the disk that they share.
        implicit: index >= merged && (await this.#dependsOnOthers(layer)),
      })),
    );
    const sources = layers.map((layer) => ({ ...sourceOf(layer), implicit: layer.implicit }));
    await settleAll(
      planDisks(sources)
        .filter(isShared)
        .map((plan) => this.#disks.ensureVerified(plan)),
    );
    return { ...image, layers };
  }

  /** Makes the layer's disk, unless it depends on the layers below. */
  #dependsOnOthers(layer: PlannedLayer): Promise<boolean> {
    const key = `${layer.diffId} ${layer.blob.digest}`;
    const known = this.#checked.get(key);
    if (known !== undefined) return known;
    const checked = this.#disks.ensureVerified(standAlone(sourceOf(layer))).then((outcome) => {
      this.#progress?.(`Layer ${layer.diffId}: checked`);
      return outcome === 'depends';
    });
    this.#checked.set(key, checked);
    return checked;
  }
}

/** Whether a disk takes more than one layer that stands alone. */
function isShared({ layers, below }: DiskPlan<StoredLayer>): boolean {
  return layers.length !== 1 || below !== undefined;
}

function sourceOf({ diffId, blob }: PlannedLayer): StoredLayer {
  return { diffId, size: blob.size, path: blob.path };
}

/** Waits for all, so that nothing works on when the first failure is told. */
async function settleAll<T>(tasks: readonly Promise<T>[]): Promise<readonly T[]> {
  const results = await Promise.allSettled(tasks);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
