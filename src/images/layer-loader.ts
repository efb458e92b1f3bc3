/**
 * Checks every layer of an image by making its disk.
 *
 * @module
 */

import { settleAll } from '../async/settle-all.ts';
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
  /**
   * Keyed by diff ID and blob: one layer may come compressed in two ways, and each form is checked
   * once.
   */
  readonly #checked = new Map<string, Promise<boolean>>();

  constructor(disks: Disks, progress?: (line: string) => void) {
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
        implicit: index >= merged && (await this.dependsOnOthers(layer)),
      })),
    );
    await this.finish(layers);
    return { ...image, layers };
  }

  /** Makes the disks that depend on several layers. */
  async finish(layers: LoadedImage['layers']): Promise<void> {
    const sources = layers.map((layer) => ({ ...sourceOf(layer), implicit: layer.implicit }));
    await settleAll(
      planDisks(sources)
        .filter(isShared)
        .map((plan) => this.#disks.ensureVerified(plan)),
    );
  }

  /** Checks the layer and makes its disk, unless that depends on the layers below. */
  dependsOnOthers(layer: PlannedLayer): Promise<boolean> {
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
