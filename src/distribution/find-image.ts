/**
 * Resolves a name to the manifest for one platform. Each step is checked against its digest.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { StoredDocument } from '../images/image.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { parseIndex } from '../oci/manifest.ts';
import { INDEX_TYPES, MANIFEST_TYPES } from '../oci/media-types.ts';
import { familiarName, familiarRepository, type Reference } from '../oci/reference.ts';
import type { RemoteManifest, Repository } from '../registry/registry.ts';
import { type PlatformChoice, selectPlatform } from './select-platform.ts';

export interface RemoteImage {
  /** The digest that the name refers to: that of the index, where there is one. */
  readonly digest: Digest;
  readonly manifest: StoredDocument;
  /** The index that lists the manifest. */
  readonly index: StoredDocument | undefined;
}

/** @throws A3sError `not-in-registry`, `invalid-image`, `registry-…` */
export async function findImage(
  repository: Repository,
  reference: Reference,
  platform: PlatformChoice,
): Promise<RemoteImage> {
  const name = familiarName(reference);
  const found = await ask(repository, reference.digest ?? reference.tag ?? 'latest', reference);
  if (!INDEX_TYPES.includes(found.mediaType)) {
    return { digest: found.digest, manifest: imageManifest(found, name), index: undefined };
  }
  const index = parseIndex(found.bytes, `index ${found.digest}`);
  const selected = selectPlatform(index, platform, name);
  const manifest = await ask(repository, selected.digest, reference);
  if (manifest.mediaType !== selected.mediaType || manifest.bytes.length !== selected.size) {
    throw new A3sError(
      'invalid-image',
      `Cannot pull ${name}: its index describes another manifest than ${selected.digest} is`,
    );
  }
  return { digest: found.digest, manifest, index: found };
}

async function ask(
  repository: Repository,
  what: string,
  reference: Reference,
): Promise<RemoteManifest> {
  const found = await repository.manifest(what);
  if (found === undefined) throw missing(what, reference);
  const digest = digestOf(found.bytes);
  const isOther = what.startsWith('sha256:') && digest !== what;
  if (digest === found.digest && !isOther) return found;
  throw new A3sError(
    'invalid-image',
    `Cannot pull ${familiarName(reference)}: the registry sent other bytes than ${isOther ? what : found.digest}`,
    { remedy: "Try again; if it stays so, ask the registry's operator." },
  );
}

function imageManifest(found: RemoteManifest, name: string): RemoteManifest {
  if (MANIFEST_TYPES.includes(found.mediaType)) return found;
  const type = JSON.stringify(found.mediaType.slice(0, 200));
  const isOld = /\.distribution\.manifest\.v1\+/.test(found.mediaType);
  throw new A3sError(
    'invalid-image',
    isOld
      ? `Cannot pull ${name}: its manifest is of Docker's schema 1, which is not supported`
      : `Cannot pull ${name}: it is no image, but ${type}`,
    { remedy: isOld ? 'Push the image again with a newer tool.' : undefined },
  );
}

function missing(what: string, reference: Reference): A3sError {
  const repository = familiarRepository(reference);
  const isInside = what !== (reference.digest ?? reference.tag);
  return new A3sError(
    'not-in-registry',
    isInside
      ? `Cannot pull ${familiarName(reference)}: its index lists ${what}, and the registry does not have it`
      : `Cannot pull ${familiarName(reference)}: ${reference.domain} has no such image, or does not show it to you`,
    {
      remedy: isInside
        ? "Ask the image's publisher to push all of it."
        : `Check the name and the tag; if ${repository} is private, log in first: a3s-box login ${reference.domain}`,
    },
  );
}
