/**
 * Resolves the arguments of `save` by Docker's rules.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { parseReference } from '../../oci/reference.ts';
import type { Catalog, ImageRecord } from '../catalog/catalog.ts';
import { resolveImage } from '../catalog/resolve.ts';
import type { Limits } from '../limits.ts';

/** 64 digits are an id and never a name, with the algorithm before them or without it. */
const ID = /^(?:sha256:[0-9a-f]{4,64}|[0-9a-f]{64})$/;

export interface WantedImage {
  readonly record: ImageRecord;
  /** Canonical names that go into the archive. */
  readonly names: readonly string[];
}

/**
 * A name with a tag is saved under that name, an image id or a digest without one, and the bare
 * name of a repository means all of its tags. Several arguments may mean one image.
 *
 * @throws A3sError `no-such-image`, `invalid-argument`, `too-large`
 */
export function wantedImages(
  references: readonly string[],
  catalog: Catalog,
  limits: Limits,
): readonly WantedImage[] {
  if (references.length === 0) {
    throw new A3sError('invalid-argument', 'Cannot save images: none is named');
  }
  const wanted = new Map<string, { record: ImageRecord; names: Set<string> }>();
  const want = (record: ImageRecord, names: readonly string[]): void => {
    const known = wanted.get(record.manifest.digest) ?? { record, names: new Set() };
    for (const name of names) known.names.add(name);
    wanted.set(record.manifest.digest, known);
    if (wanted.size <= limits.images) return;
    throw new A3sError('too-large', `Cannot save more than ${limits.images} images at once`, {
      remedy: 'Save them in several archives.',
    });
  };
  for (const reference of references) {
    const tags = tagsOf(reference, catalog);
    for (const { record, name } of tags) want(record, [name]);
    if (tags.length > 0) continue;
    const { record, name } = resolveImage(reference, catalog);
    want(record, name === undefined ? [] : [name]);
  }
  return [...wanted.values()].map(({ record, names }) => ({ record, names: [...names].sort() }));
}

function tagsOf(reference: string, catalog: Catalog) {
  const repository = repositoryOf(reference);
  if (repository === undefined) return [];
  return catalog
    .manifests()
    .flatMap((record) =>
      catalog.namesOfManifest(record.manifest.digest).map((name) => ({ record, name })),
    )
    .filter(({ name }) => name.startsWith(`${repository}:`))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The canonical repository that `text` names without tag and digest; undefined where it has one, or
 * is an id.
 */
function repositoryOf(text: string): string | undefined {
  if (ID.test(text)) return undefined;
  const { domain, path, tag, digest } = parseReference(text);
  return tag === undefined && digest === undefined ? `${domain}/${path}` : undefined;
}
