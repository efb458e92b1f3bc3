/**
 * Which names of an image a policy's rules are matched against.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import {
  canonicalName,
  familiarName,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../../oci/reference.ts';

/** The most names that one image is judged by. Each costs a decision. */
const MAX_NAMES = 64;

/** An image id, or its first digits. With the algorithm it is never a name. */
const ID = /^(?:sha256:)?([0-9a-f]{4,64})$/;

type Named = Pick<Image, 'id' | 'tags' | 'repoDigests'>;

/**
 * The canonical name that the caller used. Where the caller used an id, or where it is in doubt,
 * every name that the image has. Empty for an image without a name.
 *
 * @throws A3sError `conflict` when an image that was named by id has too many names
 */
export function namesUsed(reference: string, image: Named): readonly string[] {
  const parsed = parseName(reference);
  if (parsed !== undefined && isNameOf(parsed, image)) {
    return [canonicalName(withDefaultTag(parsed))];
  }
  return allNames(image);
}

/**
 * The same for a box whose record is older than the field `names`. Its name may have moved to
 * another image since.
 *
 * @throws A3sError `conflict`
 */
export function namesOnRecord(reference: string, image: Named): readonly string[] {
  const digits = ID.exec(reference)?.[1];
  const parsed = parseName(reference);
  const byId = digits !== undefined && image.id.startsWith(`sha256:${digits}`);
  return byId || parsed === undefined ? allNames(image) : [canonicalName(withDefaultTag(parsed))];
}

function parseName(reference: string): Reference | undefined {
  if (ID.test(reference) && reference.includes(':')) return undefined;
  try {
    return parseReference(reference);
  } catch (error) {
    // 64 digits are an id, and no name.
    if (error instanceof A3sError && error.code === 'invalid-reference') return undefined;
    throw error;
  }
}

function isNameOf(reference: Reference, image: Named): boolean {
  if (reference.digest === undefined) {
    return image.tags.includes(familiarName(withDefaultTag(reference)));
  }
  return [...image.tags, ...image.repoDigests]
    .map(parseReference)
    .some((name) => inSameRepository(name, reference));
}

function inSameRepository(a: Reference, b: Reference): boolean {
  return a.domain === b.domain && a.path === b.path;
}

/** A name by digest counts only in repositories in which the image has no tag. */
function allNames(image: Named): readonly string[] {
  const tagged = image.tags.map(parseReference);
  const untagged = image.repoDigests
    .map(parseReference)
    .filter((name) => !tagged.some((other) => inSameRepository(name, other)));
  const names = [...tagged, ...untagged].map(canonicalName);
  if (names.length > MAX_NAMES) {
    throw new A3sError(
      'conflict',
      `Cannot judge image ${image.id} by its id: it has ${names.length} names, and at most ${MAX_NAMES} are looked at`,
      { remedy: 'Use the image by one of its names.' },
    );
  }
  return names;
}
