/**
 * The images that were asked for while a build ran.
 *
 * @module
 */
import type { BaseImage } from '../images/image.ts';

/** The image store keeps them. */
const MAX_IMAGES = 256;

export class UsedImages {
  readonly #images = new Map<string, BaseImage>();

  add(image: BaseImage): void {
    const { name, manifest } = image;
    // A builder asks for a tag, and then for the manifest that it means.
    const [repository, digest] = name.split('@');
    const isKnown = this.list().some(
      (each) => each.manifest === manifest && each.name.startsWith(`${repository}:`),
    );
    if (digest !== undefined && isKnown) return;
    const key = `${name} ${manifest}`;
    if (this.#images.size < MAX_IMAGES || this.#images.has(key)) this.#images.set(key, image);
  }

  /** In the order in which they were first asked for. */
  list(): readonly BaseImage[] {
    return [...this.#images.values()];
  }
}
