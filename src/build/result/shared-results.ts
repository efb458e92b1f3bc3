/**
 * Results that lie in a builder while they are imported. Two builds at once may have the same one:
 * it is removed with the last of their imports.
 *
 * @module
 */
import type { Digest } from '../../oci/digest.ts';

export class SharedResults {
  readonly #imports = new Map<Digest, number>();
  readonly #remove: (digest: Digest) => Promise<void>;

  /** @param remove removes a result from the builder, and does not reject */
  constructor(remove: (digest: Digest) => Promise<void>) {
    this.#remove = remove;
  }

  /** Whatever becomes of the import, the builder keeps no result that nobody imports. */
  async during<T>(digest: Digest, run: () => Promise<T>): Promise<T> {
    this.#imports.set(digest, (this.#imports.get(digest) ?? 0) + 1);
    try {
      return await run();
    } finally {
      const others = (this.#imports.get(digest) ?? 0) - 1;
      if (others > 0) this.#imports.set(digest, others);
      else {
        this.#imports.delete(digest);
        await this.#remove(digest);
      }
    }
  }
}
