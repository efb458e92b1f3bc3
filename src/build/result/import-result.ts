/**
 * Brings the result of a build from the builder into the image store, exactly as it was built, and
 * removes it from the builder.
 *
 * @module
 */
import type { BaseImage, Image, ImageStore } from '../../images/image.ts';
import type { Builder } from '../builder.ts';
import { readBuilder, removeImage } from '../relay/builder-api.ts';
import { failed } from '../relay/upgrade.ts';

export interface Result {
  /** Of the index or the manifest, or the id in the builder, which is one of them. */
  readonly digest: string;
  /** Canonical names. */
  readonly names: readonly string[];
  /** The images that the build was permitted to use. */
  readonly bases: readonly BaseImage[];
}

/**
 * All names appear at once, together with the image. The caller holds the lock of the builder's
 * results: two builds may have the same one.
 *
 * @throws A3sError `builder-failed`, `invalid-image`, `too-large`, `disk-full`
 */
export async function importResult(
  images: Pick<ImageStore, 'load'>,
  builder: Builder,
  { digest, names, bases }: Result,
  signal: AbortSignal,
): Promise<Image> {
  const path = `/images/get?names=${encodeURIComponent(digest)}`;
  const archive = await readBuilder(builder, { method: 'GET', path, signal });
  // The store compares the digest before it stores anything or moves a name.
  const [image] = await images.load(archive, undefined, {
    ...{ kind: 'build', names, digest, bases },
  });
  if (image === undefined) throw failed(`it gave nothing for ${digest}`);
  return image;
}

/** Whatever became of the import, the builder keeps no image. */
export async function importAndRemove(
  images: Pick<ImageStore, 'load'>,
  builder: Builder,
  result: Result,
  signal: AbortSignal,
): Promise<Image> {
  try {
    return await importResult(images, builder, result, signal);
  } finally {
    await removeImage(builder, result.digest, AbortSignal.timeout(REMOVE_MS));
  }
}

/** A client that leaves does not keep the result in the builder. */
const REMOVE_MS = 30_000;
