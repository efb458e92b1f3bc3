/**
 * Chain ids: what OCI calls a stack of layers by, so that a layer above two different ones has two.
 *
 * @module
 */
import { digestOf } from '../oci/digest.ts';

/**
 * The chain id of each layer with those below it, the lowest first.
 * https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
 */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const ids: string[] = [];
  for (const diffId of diffIds) {
    const below = ids.at(-1);
    ids.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return ids;
}

/**
 * Which layers go with an image, while images are removed one after the other. Hashes all of them
 * once.
 */
export class ChainCounts {
  readonly #chains: ReadonlyMap<string, readonly string[]>;
  /** The number of images that have each chain id. */
  readonly #counts = new Map<string, number>();

  constructor(
    images: readonly {
      readonly id: string;
      readonly layers: readonly { readonly diffId: string }[];
    }[],
  ) {
    this.#chains = new Map(
      images.map(({ id, layers }) => [id, chainIds(layers.map(({ diffId }) => diffId))]),
    );
    for (const chain of this.#chains.values()) {
      for (const id of chain) this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    }
  }

  /**
   * Removes the image from the set. Returns the chain ids that no other image has, the uppermost
   * first.
   */
  remove(imageId: string): readonly string[] {
    const own = this.#chains.get(imageId) ?? [];
    return own.filter((id) => this.#leave(id)).reverse();
  }

  /** Whether that image was the last one with the chain id. */
  #leave(id: string): boolean {
    const left = (this.#counts.get(id) ?? 0) - 1;
    this.#counts.set(id, left);
    return left === 0;
  }
}
