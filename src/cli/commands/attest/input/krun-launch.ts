/**
 * The flags that describe the launch of a libkrun-sev guest, and the launch that they describe.
 *
 * @module
 */
import type { Context } from '../../../context.ts';
import { readInput } from '../../../files/input-file.ts';
import { type Flag, int, string } from '../../../flags/flag.ts';
import type { FlagValues } from '../../../flags/flag-values.ts';
import { parseHexNumber } from '../../../values/confidential/hex.ts';
import type { Library } from '../load-library.ts';
import { fpuState, neededNumber, neededPath } from './ovmf-launch.ts';

const MAX_IMAGE = 1024 * 1024 * 1024;

/** Flags that only such a launch has. */
export const KRUN_FLAGS: readonly Flag[] = [
  string('kernel-address', 'Where libkrun loads the kernel', { value: 'hex' }),
  string('qboot', 'Firmware of libkrun', { value: 'file' }),
  int('ram', 'Memory of a libkrun guest, in MiB', { value: 'MiB' }),
];

type Inputs = Parameters<Library['measureKrun']>[0];

/** @throws UsageError for a flag that is missing or malformed, or a file that cannot be read */
export async function krunLaunch(context: Context, flags: FlagValues): Promise<Inputs> {
  const image = (name: string): Promise<Uint8Array> =>
    readInput(context, neededPath(flags, name), MAX_IMAGE, `--${name}`);
  return {
    ramMib: neededNumber(flags, 'ram'),
    vcpus: neededNumber(flags, 'vcpus'),
    kernelLoadAddress: Number(flags.needed('kernel-address', parseHexNumber)),
    sevFeatures: flags.parsed('sev-features', parseHexNumber),
    fpu: flags.parsed('fpu', fpuState),
    qboot: await image('qboot'),
    kernel: await image('kernel'),
    initrd: await image('initrd'),
  };
}
