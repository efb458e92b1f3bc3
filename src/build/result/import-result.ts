/**
 * Brings the result of a build from the builder into the image store, exactly as it was built.
 * Blobs that the store has are not read again: those of base images, and of earlier results.
 *
 * @module
 */
import * as z from 'zod';
import { wrongPlatform } from '../../images/archive/image-plan.ts';
import type { BaseImage, Image, ImageStore, StoredDocument } from '../../images/image.ts';
import { DEFAULT_LIMITS } from '../../images/limits.ts';
import { parseConfig } from '../../oci/config.ts';
import { corrupt } from '../../oci/corrupt.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { parseDocument } from '../../oci/json/json.ts';
import { isManifest, parseIndex, parseManifest } from '../../oci/manifest.ts';
import { INDEX_TYPES, OCI_INDEX, OCI_MANIFEST } from '../../oci/media-types.ts';
import { canRun, hostPlatform, type Platform, samePlatform } from '../../oci/platform.ts';
import { familiarName, parseReference } from '../../oci/reference.ts';
import type { Builder } from '../builder.ts';
import { readBlob } from './read-blob.ts';

/** Of a manifest or an index. */
const MAX_DOCUMENT = 4 * 1024 * 1024;

export interface Result {
  /** Of the index or the manifest, or the id in the builder, which is one of them. */
  readonly digest: Digest;
  /** Canonical names. */
  readonly names: readonly string[];
  /** The images that the build was permitted to use. */
  readonly bases: readonly BaseImage[];
}

/**
 * All names appear at once, together with the image.
 *
 * @throws A3sError `builder-failed`, `invalid-image`, `too-large`, `disk-full`
 */
export async function importResult(
  images: Pick<ImageStore, 'ingest'>,
  builder: Builder,
  { digest, names, bases }: Result,
  signal: AbortSignal,
): Promise<Image> {
  const [name] = names;
  const reference = name === undefined ? {} : { reference: familiarName(parseReference(name)) };
  const { config, ...documents } = await documentsOf(builder, digest, signal);
  return await images.ingest({
    ...documents,
    blob: (blob) =>
      blob.digest === config?.digest ? once(config.bytes) : readBlob(builder, blob.digest, signal),
    names,
    origin: { kind: 'build', at: new Date().toISOString(), ...reference, bases },
    signal,
  });
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

interface Documents {
  readonly manifest: StoredDocument;
  readonly indexes: readonly StoredDocument[];
  readonly platform: Platform;
  /** What was read of it for its platform. */
  readonly config?: StoredDocument;
}

/**
 * The manifest for this host, or else the first one of a platform that it emulates; and the index
 * that lists it where the result has one.
 */
async function documentsOf(
  builder: Builder,
  digest: Digest,
  signal: AbortSignal,
): Promise<Documents> {
  const document = await readDocument(builder, digest, signal);
  const host = hostPlatform();
  if (!INDEX_TYPES.includes(document.mediaType)) {
    const named = parseManifest(document.bytes, `manifest ${digest}`, DEFAULT_LIMITS).config;
    const config = await readDocument(builder, named.digest, signal);
    const what = `configuration ${named.digest}`;
    const { os, architecture } = parseConfig(config.bytes, what);
    const platform = { os, architecture };
    if (!canRun(platform, host)) throw wrongPlatform(what, platform, host);
    return { manifest: document, indexes: [], platform, config };
  }
  const what = `index ${digest}`;
  // Attestations stand beside images as platform unknown/unknown.
  const runnable = parseIndex(document.bytes, what).manifests.flatMap((entry) =>
    isManifest(entry) && entry.platform != null && canRun(entry.platform, host)
      ? [{ digest: entry.digest, platform: entry.platform }]
      : [],
  );
  const found = runnable.find(({ platform }) => samePlatform(platform, host)) ?? runnable[0];
  if (found === undefined) throw wrongPlatform(what, undefined, host);
  const { os, architecture } = found.platform;
  return {
    manifest: await readDocument(builder, found.digest, signal),
    indexes: [document],
    platform: { os, architecture },
  };
}

/** BuildKit writes the type; without it, a document is what its members say. */
const Typed = z.looseObject({
  mediaType: z.string().optional(),
  manifests: z.unknown().optional(),
});

async function readDocument(
  builder: Builder,
  digest: Digest,
  signal: AbortSignal,
): Promise<StoredDocument> {
  const what = `document ${digest}`;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of readBlob(builder, digest, signal)) {
    length += chunk.length;
    if (length > MAX_DOCUMENT) throw corrupt(what, `it has more than ${MAX_DOCUMENT} bytes`);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const found = digestOf(bytes);
  if (found !== digest) throw corrupt(what, `its content has the digest ${found}`);
  const { mediaType, manifests } = parseDocument(bytes, Typed, what);
  const untyped = manifests === undefined ? OCI_MANIFEST : OCI_INDEX;
  return { digest, mediaType: mediaType ?? untyped, bytes };
}
