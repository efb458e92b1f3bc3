/**
 * Names an image that is here.
 *
 * @module
 */
import type { Image } from '../image.ts';
import { resolveImage } from '../resolve.ts';
import type { StoreParts } from '../store-parts.ts';
import { sweep } from '../sweep.ts';
import { viewOf } from '../view.ts';
import { tagTarget } from './tag-target.ts';

/** @throws A3sError `no-such-image`, `invalid-reference` */
export async function tagImage(parts: StoreParts, source: string, target: string): Promise<Image> {
  const name = tagTarget(target);
  return await parts.lock.run(async () => {
    const { catalog } = parts;
    const { record } = resolveImage(source, catalog);
    catalog.name(name, record.manifest.digest);
    await sweep(parts);
    return viewOf(record, catalog);
  });
}
