/**
 * What an image has beside its parent's layers and the new one.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { ProcessConfig } from '../import/changes.ts';
import { tagTarget } from '../tag/tag-target.ts';

const MAX_TEXT = 4096;

export interface ExtendOptions {
  /** The image's name, which moves to it; undefined leaves it without one. */
  readonly name: string | undefined;
  /** The `config` object of the configuration, in place of the parent's. */
  readonly config: Partial<ProcessConfig>;
  readonly author: string;
  /** Stands in the image's history. */
  readonly message: string;
  /** The command that made the layer, for the history. */
  readonly createdBy: string;
  /** RFC 3339. */
  readonly created: string;
}

/**
 * Checks what does not depend on the layer, before one is made.
 *
 * @throws A3sError `invalid-reference`, `invalid-argument`
 */
export function checkExtendOptions({ name, author, message }: ExtendOptions): void {
  if (name !== undefined) tagTarget(name);
  for (const [what, text] of Object.entries({ author, message })) {
    if (text.length <= MAX_TEXT) continue;
    throw new A3sError(
      'invalid-argument',
      `Cannot make an image: its ${what} has more than ${MAX_TEXT} characters`,
      { remedy: 'Shorten it, or put the text into a label.' },
    );
  }
}
