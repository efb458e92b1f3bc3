/**
 * A folder of other projects' evidence, which is not part of this repository: `A3S_SHARED_VECTORS`,
 * or else `shared/vectors` beside the repository. Importing this prints a message when the folder
 * is missing.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const SHARED_VECTORS =
  process.env['A3S_SHARED_VECTORS'] ??
  fileURLToPath(new URL('../../../../shared/vectors', import.meta.url));

/** Tests of what is in the folder run only if it is there. */
export const HAS_SHARED_VECTORS = existsSync(SHARED_VECTORS);

if (!HAS_SHARED_VECTORS) {
  process.stderr.write(`Skipping what needs the shared vectors: there is no ${SHARED_VECTORS}\n`);
}
