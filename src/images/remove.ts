/**
 * What removing an image means, by Docker's rules.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Catalog } from './catalog.ts';
import { familiarName, parseReference } from './reference.ts';
import { resolveImage } from './resolve.ts';

export interface RemoveOptions {
  readonly force: boolean;
  readonly inUse: (imageId: string) => boolean;
}

export interface Removal {
  /** Canonical names to take away. */
  readonly names: readonly string[];
  /** Id of the image, where it goes too. */
  readonly deleted: string | undefined;
}

/**
 * A name is taken away, and the image goes with its last one. By id, all names go, which takes `force` where there are
 * several. An image that a box holds never goes: `force` takes only its name.
 *
 * @throws A3sError `no-such-image`, `image-in-use`, `conflict`
 */
export function planRemoval(text: string, catalog: Catalog, options: RemoveOptions): Removal {
  const { record, name } = resolveImage(text, catalog);
  const { id } = record;
  const names = catalog.namesOf(id);
  const inUse = options.inUse(id);
  if (name !== undefined) {
    if (names.length > 1) return { names: [name], deleted: undefined };
    if (!inUse) return { names: [name], deleted: id };
    if (options.force) return { names: [name], deleted: undefined };
    throw heldByBox(text);
  }
  if (inUse) throw heldByBox(text);
  if (names.length > 1 && !options.force) {
    const list = names.map((each) => familiarName(parseReference(each))).join(', ');
    throw new A3sError('conflict', `Cannot remove image ${text}: it has several names (${list})`, {
      remedy: 'Remove the names one by one, or all with --force.',
    });
  }
  return { names, deleted: id };
}

function heldByBox(text: string): A3sError {
  return new A3sError('image-in-use', `Cannot remove image ${text}: a box was made from it`, {
    remedy: 'Remove the box first: a3s-box ps -a shows it.',
  });
}
