/**
 * What removing an image means, by Docker's rules.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { canonicalRepository, familiarName, parseReference } from '../../oci/reference.ts';
import type { Catalog, RepoDigest } from '../catalog/catalog.ts';
import { resolveImage } from '../catalog/resolve.ts';

export interface RemoveOptions {
  readonly force: boolean;
  readonly inUse: (imageId: string) => boolean;
}

export interface Removal {
  /** Canonical names to take away. */
  readonly names: readonly string[];
  readonly repoDigests: readonly RepoDigest[];
  /** Id of the image, where it goes too. */
  readonly deleted: string | undefined;
}

/**
 * A name is taken away, with the digests of its repository when it is the last name there; the
 * image goes with the last of all. By id, everything goes, which takes `force` where there are
 * several names or repositories. An image that a box holds never goes: `force` takes only its name.
 *
 * @throws A3sError `no-such-image`, `image-in-use`, `conflict`
 */
export function planRemoval(text: string, catalog: Catalog, options: RemoveOptions): Removal {
  const { record, name, repoDigest } = resolveImage(text, catalog);
  const { id } = record;
  const names = catalog.namesOf(id);
  const repoDigests = catalog.repoDigestsOf(id);
  const inUse = options.inUse(id);
  if (name !== undefined || repoDigest !== undefined) {
    const taken = {
      names: name === undefined ? [] : [name],
      repoDigests: repoDigest === undefined ? digestsLeft(name, names, repoDigests) : [repoDigest],
    };
    const isLast =
      taken.names.length === names.length &&
      repoDigests.every((each) => taken.repoDigests.some((other) => isSame(each, other)));
    if (!isLast) return { ...taken, deleted: undefined };
    if (!inUse) return { ...taken, deleted: id };
    if (options.force) return { ...taken, deleted: undefined };
    throw heldByBox(text);
  }
  if (inUse) throw heldByBox(text);
  const repositories = new Set([
    ...names.map(repositoryOf),
    ...repoDigests.map(({ repository }) => repository),
  ]);
  if ((names.length > 1 || repositories.size > 1) && !options.force) {
    const all = names.length > 1 ? names.map(familiar) : [...repositories].map(familiar);
    const list = all.join(', ');
    throw new A3sError('conflict', `Cannot remove image ${text}: it has several names (${list})`, {
      remedy: 'Remove the names one by one, or all with --force.',
    });
  }
  return { names, repoDigests, deleted: id };
}

/** Digests of the name's repository, when no other name of the image is in it. */
function digestsLeft(
  name: string | undefined,
  names: readonly string[],
  repoDigests: readonly RepoDigest[],
): readonly RepoDigest[] {
  const repository = name === undefined ? undefined : repositoryOf(name);
  if (names.some((other) => other !== name && repositoryOf(other) === repository)) return [];
  return repoDigests.filter((each) => each.repository === repository);
}

function isSame(a: RepoDigest, b: RepoDigest): boolean {
  return a.repository === b.repository && a.digest === b.digest;
}

function repositoryOf(name: string): string {
  return canonicalRepository(parseReference(name));
}

function familiar(name: string): string {
  return familiarName(parseReference(name));
}

function heldByBox(text: string): A3sError {
  return new A3sError('image-in-use', `Cannot remove image ${text}: a box was made from it`, {
    remedy: 'Remove the box first: a3s-box ps -a shows it.',
  });
}
