/**
 * Names that mean a repository rather than one image of it.
 *
 * @module
 */
import { parseReference } from '../../oci/reference.ts';

/** 64 digits are an id and never a name, with the algorithm before them or without it. */
const ID = /^(?:sha256:[0-9a-f]{4,64}|[0-9a-f]{64})$/;

/** The canonical repository that `text` names without tag and digest; undefined where it has one, or is an id. */
export function repositoryOf(text: string): string | undefined {
  if (ID.test(text)) return undefined;
  const { domain, path, tag, digest } = parseReference(text);
  return tag === undefined && digest === undefined ? `${domain}/${path}` : undefined;
}
