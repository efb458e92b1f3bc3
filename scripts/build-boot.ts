/**
 * Makes the boot artefacts: `build-boot [--update] [--firmware-only] [--plain] [OUTPUT]`, from the
 * root of the checkout.
 *
 * @module
 */

import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Firmware, firmware } from '../src/boot/firmware.ts';
import { buildBootSet } from '../src/boot/make/build.ts';
import { buildPlainBootSet } from '../src/boot/make/build-plain.ts';
import { A3sError } from '../src/errors.ts';
import { EROFS_WRITER } from '../src/images/erofs/format.ts';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      update: { type: 'boolean', default: false },
      'firmware-only': { type: 'boolean', default: false },
      plain: { type: 'boolean', default: false },
    },
  });
  const { update } = values;
  const root = process.cwd();
  const step = (line: string): boolean => process.stdout.write(`    ${line}\n`);
  const make = (cache: string): Promise<Firmware> =>
    firmware({ cache, platform: join(root, 'native', 'firmware'), update, step });
  if (values['firmware-only']) {
    await make(join(root, 'build', 'cache'));
    return;
  }
  const output = resolve(positionals[0] ?? 'dist/boot');
  const common = { root, output, erofsWriter: EROFS_WRITER, step };
  if (values.plain) {
    await buildPlainBootSet(common);
    return;
  }
  const { set, built } = await buildBootSet({ ...common, update, firmware: make });
  if (!built) process.stdout.write(`    unchanged: ${set.id}\n`);
}

main().catch((error: unknown) => {
  const remedy = error instanceof A3sError ? error.remedy : undefined;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message}\n${remedy === undefined ? '' : `${remedy}\n`}`);
  process.exitCode = 1;
});
