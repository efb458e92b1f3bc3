/**
 * Resolves a user's reference to an image.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import {
  canonicalName,
  canonicalRepository,
  familiarName,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../../oci/reference.ts';
import type { Catalog, ImageRecord, RepoDigest } from './catalog.ts';

/** An image id: all of it or its first digits, with or without the algorithm. */
const ID = /^(?:sha256:)?([0-9a-f]{4,64})$/;
const FULL = 64;

export interface Resolved {
  readonly record: ImageRecord;
  /** The canonical name that was given; undefined when it was an id or a digest. */
  readonly name: string | undefined;
  /** The digest of a repository that was given. */
  readonly repoDigest: RepoDigest | undefined;
}

/**
 * A tag wins over an id that begins alike, as with Docker.
 *
 * @throws A3sError `no-such-image`, `invalid-reference`, or `conflict` when several ids begin so
 */
export function resolveImage(text: string, catalog: Catalog): Resolved {
  const digits = ID.exec(text)?.[1];
  // A text with the algorithm is no name, and 64 digits never are a name.
  if (digits === undefined || (!text.includes(':') && digits.length < FULL)) {
    const reference = withDefaultTag(parseReference(text));
    const found = byReference(reference, catalog);
    if (found !== undefined) return found;
    if (digits === undefined) throw noSuchImage(familiarName(reference));
  }
  const record = byDigits(digits, catalog);
  if (record === undefined) throw noSuchImage(text);
  return { record, name: undefined, repoDigest: undefined };
}

function byReference(reference: Reference, catalog: Catalog): Resolved | undefined {
  const { digest } = reference;
  if (digest === undefined) {
    const name = canonicalName(reference);
    const record = catalog.byName(name);
    return record === undefined ? undefined : { record, name, repoDigest: undefined };
  }
  const repository = canonicalRepository(reference);
  const repoDigest = { repository, digest };
  const pulled = catalog.byRepoDigest(repoDigest);
  if (pulled !== undefined) return { record: pulled, name: undefined, repoDigest };
  const record = catalog.byManifest(digest) ?? catalog.byIndex(digest);
  const isCalledSo =
    record !== undefined &&
    (catalog.namesOf(record.id).some((name) => name.startsWith(`${repository}:`)) ||
      catalog.repoDigestsOf(record.id).some((each) => each.repository === repository));
  return isCalledSo ? { record, name: undefined, repoDigest: undefined } : undefined;
}

function byDigits(digits: string, catalog: Catalog): ImageRecord | undefined {
  const [found, ...others] = catalog.byPrefix(digits);
  if (others.length > 0) {
    throw new A3sError('conflict', `Cannot tell which image ${digits} is: several ids begin so`, {
      remedy: 'Give more digits of the id.',
    });
  }
  if (found !== undefined || digits.length < FULL) return found;
  const digest = `sha256:${digits}`;
  return catalog.byManifest(digest) ?? catalog.byIndex(digest);
}

export function noSuchImage(name: string): A3sError {
  return new A3sError('no-such-image', `No such image: ${name}`, {
    remedy:
      'Get it with a3s-box pull, or a3s-box load -i FILE. List the images with a3s-box images.',
  });
}
