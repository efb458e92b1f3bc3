/**
 * Writes `docs/cli.md` and `docs/errors.md`: `npm run docs`.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorReference } from '../src/cli/help/error-reference.ts';
import { cliReference } from '../src/cli/help/reference.ts';

const docs = join(import.meta.dirname, '../docs');
writeFileSync(join(docs, 'cli.md'), await cliReference());
writeFileSync(join(docs, 'errors.md'), errorReference());
