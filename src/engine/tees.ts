/**
 * Trusted execution environments of this host, and what each lacks.
 *
 * @module
 */
import { access, readFile } from 'node:fs/promises';
import type { Capability } from './engine.ts';

const CPU_FLAG = 'sev_snp';
const PARAMETER = '/sys/module/kvm_amd/parameters/sev_snp';
const DEVICE = '/dev/sev';

/** Looks at the processor, the kernel's module and its device: SEV-SNP needs all three. */
export async function reportTees(): Promise<readonly Capability[]> {
  const [cpuinfo, parameter, device] = await Promise.all([
    read('/proc/cpuinfo'),
    read(PARAMETER),
    exists(DEVICE),
  ]);
  const lacks = snpLacks(cpuinfo ?? '', parameter, device);
  return [
    {
      name: 'sev-snp',
      available: lacks.length === 0,
      reason: lacks.length === 0 ? undefined : lacks.join('; '),
    },
  ];
}

/** @returns one phrase for each thing that is missing */
export function snpLacks(
  cpuinfo: string,
  parameter: string | undefined,
  device: boolean,
): string[] {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? [];
  return [
    ...(flags.includes(CPU_FLAG) ? [] : [`the CPU has no ${CPU_FLAG} flag`]),
    ...(parameter === undefined
      ? ['the kernel module kvm_amd is not loaded']
      : /^[Y1]/.test(parameter)
        ? []
        : ['kvm_amd has SEV-SNP switched off']),
    ...(device ? [] : [`there is no ${DEVICE}`]),
  ];
}

function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
