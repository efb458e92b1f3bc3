/**
 * The flags that describe the launch of an OVMF guest, and the launch that they describe.
 *
 * @module
 */
import type { Context } from '../../../context.ts';
import { hashInput, readInput } from '../../../files/input-file.ts';
import { type Flag, int, string } from '../../../flags/flag.ts';
import type { FlagValues } from '../../../flags/flag-values.ts';
import { parseHexNumber } from '../../../values/confidential/hex.ts';
import type { Library } from '../load-library.ts';

/** The largest number that the library takes. */
export const MAX_OVMF = 16 * 1024 * 1024;

export const OVMF_FLAGS: readonly Flag[] = [
  string('append', 'Kernel command line', { value: 'text' }),
  string('fpu', "State of the FPU in the VMSAs if not the monitor's usual one: reset or zero", {
    value: 'state',
  }),
  string('initrd', 'Initrd', { value: 'file' }),
  string('kernel', 'Kernel, for a launch with kernel hashes', { value: 'file' }),
  string('ovmf', 'OVMF firmware', { value: 'file' }),
  string('sev-features', 'SEV_FEATURES of the VMSAs, 1 if not given', { value: 'hex' }),
  string('vcpu-type', 'vCPU model, such as EPYC-v4; needed for qemu, which measures it', {
    value: 'model',
  }),
  int('vcpus', 'Number of vCPUs', { value: 'number' }),
];

type Inputs = Parameters<Library['measureOvmf']>[0];

/** @throws UsageError for a flag that is missing or malformed, or a file that cannot be read */
export async function ovmfLaunch(
  context: Context,
  flags: FlagValues,
  library: Library,
  vmm: Inputs['vmm'],
): Promise<Inputs> {
  const ovmf = neededPath(flags, 'ovmf');
  if (vmm === 'qemu' && !flags.given('vcpu-type')) throw flags.missing('vcpu-type');
  const figures = {
    vmm,
    vcpus: neededNumber(flags, 'vcpus'),
    append: flags.string('append'),
    vcpuType: flags.parsed('vcpu-type', (text) => vcpuType(library, text)),
    sevFeatures: flags.parsed('sev-features', parseHexNumber),
    fpu: flags.parsed('fpu', fpuState),
  };
  return {
    ...figures,
    ovmf: await readInput(context, ovmf, MAX_OVMF, '--ovmf'),
    kernel: await hashed(context, flags, 'kernel'),
    initrd: await hashed(context, flags, 'initrd'),
  };
}

/** The value of a required number flag. */
export function neededNumber(flags: FlagValues, name: string): number {
  const value = flags.int(name);
  if (value === undefined) throw flags.missing(name);
  return value;
}

/** The value of a required flag that names a file. */
export function neededPath(flags: FlagValues, name: string): string {
  return flags.needed(name, (path) => path);
}

export function fpuState(text: string): 'reset' | 'zero' {
  if (text !== 'reset' && text !== 'zero') throw new RangeError('it takes reset or zero');
  return text;
}

function vcpuType(library: Library, text: string): NonNullable<Inputs['vcpuType']> {
  if (library.isVcpuType(text)) return text;
  throw new RangeError(`it takes one of ${library.VCPU_TYPES.join(', ')}`);
}

async function hashed(
  context: Context,
  flags: FlagValues,
  name: string,
): Promise<Inputs['kernel']> {
  const path = flags.string(name);
  return path === undefined ? undefined : { sha256: await hashInput(context, path, `--${name}`) };
}
