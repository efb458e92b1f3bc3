/**
 * An image and archives of it with something changed, digests and sizes right unless that is the
 * change.
 *
 * @module
 */
import { type BuiltImage, buildImage, ociLayout, sha256 } from './build-image.ts';
import { writeTar } from './tar-writer.ts';

export const good = buildImage({ name: 'good:1', layers: [[{ path: 'f', data: 'x' }]] });
/** A digest that would be a path. */
export const ESCAPE = 'sha256:../../../../../../tmp/escape';

/** An OCI archive after a change to its files. */
export function changed(change: (files: Map<string, Buffer>) => void, image = good): Buffer {
  const files = ociLayout([image]);
  change(files);
  return writeTar([...files].map(([path, data]) => ({ path, data })));
}

export const blobPath = (digest: string) => `blobs/sha256/${digest.slice(7)}`;

/** The image with another manifest, its digest and size right. */
export function withManifest(change: (manifest: Record<string, unknown>) => void): BuiltImage {
  const manifest: Record<string, unknown> = JSON.parse(
    String(good.blobs.get(good.manifest.digest)),
  );
  change(manifest);
  const bytes = Buffer.from(JSON.stringify(manifest));
  const descriptor = { ...good.manifest, digest: sha256(bytes), size: bytes.length };
  return {
    ...good,
    manifest: descriptor,
    blobs: new Map([...good.blobs, [descriptor.digest, bytes]]),
  };
}
