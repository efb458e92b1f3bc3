/**
 * The names that users may give an image.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import {
  canonicalName,
  familiarRepository,
  parseReference,
  withDefaultTag,
} from '../../oci/reference.ts';

/**
 * The canonical name with a tag, `latest` where none is given.
 *
 * @throws A3sError `invalid-reference` for a name with a digest, or one that would be read as an id
 */
export function tagTarget(text: string): string {
  const reference = withDefaultTag(parseReference(text));
  const refuse = (reason: string): A3sError =>
    new A3sError('invalid-reference', `Cannot name an image ${JSON.stringify(text)}: ${reason}`, {
      remedy: 'Write the new name as [HOST[:PORT]/]NAME[:TAG].',
    });
  if (reference.digest !== undefined)
    throw refuse('a digest cannot be given, it follows from the content');
  // On a command line `sha256:abc…` is an id, so no command could use the name.
  if (familiarRepository(reference) === 'sha256') throw refuse('it looks like an image id');
  return canonicalName(reference);
}
