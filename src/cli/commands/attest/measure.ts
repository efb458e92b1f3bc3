import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command, Invocation } from '../../command.ts';
import type { Context } from '../../context.ts';
import { bool, byName, string } from '../../flags/flag.ts';
import type { FlagValues } from '../../flags/flag-values.ts';
import { jsonText } from '../../output/json-text.ts';
import { UsageError } from '../../usage-error.ts';
import {
  EXCEPTIONS_FLAG,
  exceptionsOf,
  knownVulnerable,
  vulnerableInputs,
} from './input/known-vulnerable.ts';
import { KRUN_FLAGS, krunLaunch } from './input/krun-launch.ts';
import { OVMF_FLAGS, ovmfLaunch } from './input/ovmf-launch.ts';
import { tellingPrograms } from './json-failure.ts';
import { type Library, loadLibrary, refusing } from './load-library.ts';

/** Flags that only an OVMF launch has. */
const ONLY_OVMF = ['append', 'ovmf', 'policy', 'record', 'vcpu-type'];
const VMMS = ['qemu', 'ec2', 'gce', 'krun'] as const;

export const measure: Command = {
  usage: '[OPTIONS] --ovmf FILE --vcpus N --vcpu-type MODEL',
  description: [
    'Compute the launch digest that the MEASUREMENT of a report has for a guest, and print it.',
    'For --vmm krun, give --qboot, --kernel, --kernel-address, --initrd and --ram instead of --ovmf;',
    'that digest is read from the sources of libkrun, and not confirmed by hardware.',
    'Exits with 0, and with 2 if the digest cannot be computed, or the firmware is known to be vulnerable and --policy',
    'does not except it.',
  ].join('\n'),
  flags: byName([
    ...OVMF_FLAGS,
    ...KRUN_FLAGS,
    EXCEPTIONS_FLAG,
    bool('json', 'Print a JSON document'),
    string('record', 'Write a launch record, for attest explain', { value: 'file' }),
    string('vmm', `Virtual machine monitor: ${VMMS.join(', ')}; qemu if not given`, {
      value: 'monitor',
    }),
  ]),
  operands: { min: 0, max: 0 },
  run: tellingPrograms(async (invocation) => {
    const vmm = invocation.flags.parsed('vmm', parseVmm) ?? 'qemu';
    const library = await loadLibrary();
    return vmm === 'krun'
      ? measureKrun(invocation, library)
      : measureOvmf(invocation, library, vmm);
  }),
};

async function measureOvmf(
  { context, flags }: Invocation,
  library: Library,
  vmm: 'qemu' | 'ec2' | 'gce',
): Promise<number> {
  refuseFlags(
    flags,
    vmm,
    KRUN_FLAGS.map(({ name }) => name),
  );
  const launch = await ovmfLaunch(context, flags, library, vmm);
  const record = refusing(library, '', () => library.launchRecordOf(launch));
  const entry = vulnerableInputs(library, launch, await exceptionsOf(context, flags, library));
  if (entry !== undefined) throw knownVulnerable(entry);
  const path = flags.string('record');
  if (path !== undefined) await writeRecord(context, path, record);
  const { digest, ovmf } = record;
  context.stdout.write(
    flags.bool('json') ? jsonText({ vmm, digest, ovmfHash: ovmf.hash, record }) : `${digest}\n`,
  );
  return 0;
}

async function measureKrun({ context, flags }: Invocation, library: Library): Promise<number> {
  refuseFlags(flags, 'krun', ONLY_OVMF);
  const launch = await krunLaunch(context, flags);
  const { digest, confirmedByHardware } = refusing(library, '', () => library.measureKrun(launch));
  if (flags.bool('json')) {
    context.stdout.write(jsonText({ vmm: 'krun', digest, confirmedByHardware }));
  } else {
    context.stderr.write(
      'WARNING: not confirmed by hardware; compare with a report of your own before you rely on it\n',
    );
    context.stdout.write(`${digest}\n`);
  }
  return 0;
}

function parseVmm(text: string): (typeof VMMS)[number] {
  const vmm = VMMS.find((name) => name === text);
  if (vmm === undefined) throw new RangeError(`it takes one of ${VMMS.join(', ')}`);
  return vmm;
}

function refuseFlags(flags: FlagValues, vmm: string, names: readonly string[]): void {
  const given = names.find((name) => flags.given(name));
  if (given !== undefined) throw new UsageError(`--${given} does not apply to a launch by ${vmm}`);
}

async function writeRecord(context: Context, path: string, record: object): Promise<void> {
  try {
    await writeFile(resolve(context.cwd, path), jsonText(record));
  } catch (error) {
    throw new UsageError(`write ${path}: ${error instanceof Error ? error.message : error}`);
  }
}
