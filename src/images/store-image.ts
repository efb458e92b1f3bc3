/**
 * Makes one image visible that was made here, with how it came on record.
 *
 * @module
 */
import { familiar, viewOf } from './catalog/view.ts';
import { commitImages } from './commit.ts';
import type { Image, Origin } from './image.ts';
import type { LoadedImage } from './layer-loader.ts';
import type { StoreParts } from './store-parts.ts';

/**
 * @param image its layers have been checked; its names move to it
 * @param parent id of the image that it was made of
 */
export async function storeImage(
  parts: StoreParts,
  image: LoadedImage,
  kind: Origin['kind'],
  parent?: string,
): Promise<Image> {
  const [reference] = image.names.map(familiar);
  const called = reference === undefined ? {} : { reference };
  const made = parent === undefined ? {} : { parent };
  const origin = { kind, at: new Date().toISOString(), ...called, ...made };
  const [record] = await commitImages(parts, [{ image, origin }]);
  if (record === undefined) throw new RangeError('one image was made and none was stored');
  return viewOf(record, parts.catalog);
}
