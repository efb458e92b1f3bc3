/**
 * Makes the boot artefacts: `build-boot [--update-kernel] [OUTPUT]`, from the root of the checkout.
 *
 * @module
 */

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBootSet } from '../src/boot/build.ts';
import { A3sError } from '../src/errors.ts';
import { EROFS_WRITER } from '../src/images/erofs/format.ts';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'update-kernel': { type: 'boolean', default: false } },
  });
  const root = process.cwd();
  const { set, built } = await buildBootSet({
    root,
    output: resolve(positionals[0] ?? 'dist/boot'),
    updateKernel: values['update-kernel'],
    erofsWriter: EROFS_WRITER,
    step: (line) => process.stdout.write(`    ${line}\n`),
  });
  if (!built) process.stdout.write(`    unchanged: ${set.id}\n`);
}

main().catch((error: unknown) => {
  const remedy = error instanceof A3sError ? error.remedy : undefined;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message}\n${remedy === undefined ? '' : `${remedy}\n`}`);
  process.exitCode = 1;
});
