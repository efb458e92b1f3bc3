/**
 * Makes the image that builders start from: `build-builder [--update] [OUTPUT]`, from the root of
 * the checkout.
 *
 * @module
 */

import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBuilder } from '../src/builders/make/build.ts';
import { A3sError } from '../src/errors.ts';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { update: { type: 'boolean', default: false } },
  });
  await buildBuilder({
    cache: join(process.cwd(), 'build', 'cache'),
    output: resolve(positionals[0] ?? 'dist/builder'),
    update: values.update,
    step: (line) => process.stdout.write(`    ${line}\n`),
  });
}

main().catch((error: unknown) => {
  const remedy = error instanceof A3sError ? error.remedy : undefined;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message}\n${remedy === undefined ? '' : `${remedy}\n`}`);
  process.exitCode = 1;
});
