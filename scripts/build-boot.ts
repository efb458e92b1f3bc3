/**
 * Makes the boot artefacts: `build-boot [--update] [--firmware-only] [--plain]
 * [--platform linux/arm64] [OUTPUT]`, from the root of the checkout.
 *
 * @module
 */

import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Firmware, firmware } from '../src/boot/firmware.ts';
import { buildBootSet } from '../src/boot/make/build.ts';
import { buildArm64BootSet } from '../src/boot/make/build-arm64.ts';
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
      platform: { type: 'string', default: 'linux/amd64' },
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
  if (!['linux/amd64', 'linux/arm64'].includes(values.platform)) {
    throw new RangeError(`Cannot make a boot set for ${values.platform}: it is no such platform`);
  }
  const isArm64 = values.platform === 'linux/arm64';
  const output = resolve(positionals[0] ?? (isArm64 ? 'dist/boot-arm64' : 'dist/boot'));
  const common = { root, output, erofsWriter: EROFS_WRITER, step };
  if (isArm64) {
    await buildArm64BootSet({ ...common, update });
    return;
  }
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
