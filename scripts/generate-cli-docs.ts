/**
 * Writes `docs/cli.md`: `npm run docs`.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cliReference } from '../src/cli/reference.ts';

writeFileSync(join(import.meta.dirname, '../docs/cli.md'), await cliReference());
