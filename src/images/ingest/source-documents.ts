/**
 * The documents of an image that comes from elsewhere, before any of its blobs is fetched.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { corrupt } from '../../oci/corrupt.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { type Manifest, parseIndex, parseManifest } from '../../oci/manifest.ts';
import { INDEX_TYPES, MANIFEST_TYPES } from '../../oci/media-types.ts';
import type { RepoDigest } from '../catalog/catalog.ts';
import type { ImageSource, StoredDocument } from '../image.ts';
import type { Limits } from '../limits.ts';
import { tagTarget } from '../tag/tag-target.ts';

export interface SourceDocuments {
  readonly manifest: Manifest;
  readonly mediaType: string;
  /** Canonical. */
  readonly names: readonly string[];
  readonly repoDigest: RepoDigest | undefined;
  /** The possible subjects of attachments: the manifest and its indexes. */
  readonly subjects: readonly Digest[];
}

/** @throws A3sError `invalid-image`, `too-large`, `invalid-reference` */
export function checkSource(source: ImageSource, limits: Limits): SourceDocuments {
  const { digest, mediaType, bytes } = source.manifest;
  const what = `manifest ${digest}`;
  checkBytes(source.manifest, what, MANIFEST_TYPES, limits);
  const manifest = parseManifest(bytes, what, limits);
  checkType(manifest.mediaType, mediaType, what);
  const config = manifest.config.size;
  if (config > limits.documentBytes) {
    throw new A3sError(
      'too-large',
      `Cannot read ${what}: its configuration has ${config} bytes, and ${limits.documentBytes} are allowed`,
    );
  }
  for (const index of source.indexes) checkIndex(index, source.manifest, limits);
  const subjects = [digest, ...source.indexes.map((index) => index.digest)];
  return {
    manifest,
    mediaType,
    names: source.names.map(tagTarget),
    repoDigest: checkRepoDigest(source.repoDigest, subjects),
    subjects,
  };
}

/** Only an index that lists the manifest says anything about it. */
function checkIndex(index: StoredDocument, manifest: StoredDocument, limits: Limits): void {
  const what = `index ${index.digest}`;
  checkBytes(index, what, INDEX_TYPES, limits);
  const { manifests, mediaType } = parseIndex(index.bytes, what);
  checkType(mediaType, index.mediaType, what);
  const isListed = manifests.some(
    ({ digest, size }) => digest === manifest.digest && size === manifest.bytes.length,
  );
  if (!isListed) throw corrupt(what, `it does not list the manifest ${manifest.digest}`);
}

function checkBytes(
  { digest, mediaType, bytes }: StoredDocument,
  what: string,
  types: readonly string[],
  limits: Limits,
): void {
  if (bytes.length > limits.documentBytes) {
    throw new A3sError(
      'too-large',
      `Cannot read ${what}: it has ${bytes.length} bytes, and ${limits.documentBytes} are allowed`,
    );
  }
  const found = digestOf(bytes);
  if (found !== digest) throw corrupt(what, `its content has the digest ${found}`);
  if (!types.includes(mediaType)) {
    throw corrupt(what, `its type is ${JSON.stringify(mediaType.slice(0, 200))}`);
  }
}

/** Readers that use the one field and readers that use the other would see different content. */
function checkType(inside: string | undefined, outside: string, what: string): void {
  if (inside !== undefined && inside !== outside) {
    throw corrupt(what, `it says that it is ${inside}, and it came as ${outside}`);
  }
}

function checkRepoDigest(
  repoDigest: RepoDigest | undefined,
  subjects: readonly Digest[],
): RepoDigest | undefined {
  if (repoDigest === undefined || subjects.includes(repoDigest.digest)) return repoDigest;
  throw corrupt(
    `manifest ${subjects[0]}`,
    `it was pulled as ${repoDigest.digest}, which is neither its digest nor that of its index`,
  );
}
