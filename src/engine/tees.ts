/**
 * Trusted execution environments of this host, and what each lacks.
 *
 * @module
 */
import { constants } from 'node:fs';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import type { Capability } from './engine-report.ts';

const CPU_FLAG = 'sev_snp';
const PARAMETER = '/sys/module/kvm_amd/parameters/sev_snp';
const DEVICE = '/dev/sev';
const IOMMUS = '/sys/class/iommu';

/** The QEMU object for SEV-SNP, which exists since QEMU 9.1. */
export const SNP_OBJECT = 'sev-snp-guest';

/** The engine's own facts. */
export interface TeeHost {
  readonly kvm: boolean;
  /** Objects that the VMM can make; undefined where there is no VMM. */
  readonly vmmObjects: readonly string[] | undefined;
  /** Whether there is firmware that measures what it boots. */
  readonly firmware: boolean;
}

/**
 * The device of the secure processor. `closed`: this user may not open it; `ours`: the users that
 * VMMs run as may not.
 */
export type SevDevice = 'absent' | 'closed' | 'ours' | 'open';

/** The facts that SEV-SNP depends on. */
export interface SnpFindings extends TeeHost {
  /** `/proc/cpuinfo`. */
  readonly cpuinfo: string;
  /** The parameter of the kernel's module. */
  readonly parameter: string | undefined;
  readonly device: SevDevice;
  readonly iommu: boolean;
}

/** Inspects the processor, the kernel's module, its device, the IOMMU, and the engine's facts. */
export async function reportTees(host: TeeHost): Promise<readonly Capability[]> {
  const [cpuinfo, parameter, device, iommus] = await Promise.all([
    read('/proc/cpuinfo'),
    read(PARAMETER),
    sevDevice(),
    readdir(IOMMUS).catch(() => []),
  ]);
  const iommu = iommus.length > 0;
  const lacks = snpLacks({ ...host, cpuinfo: cpuinfo ?? '', parameter, device, iommu });
  return [
    {
      name: 'sev-snp',
      available: lacks.length === 0,
      reason: lacks.length === 0 ? undefined : lacks.join('; '),
    },
    simulation(host),
  ];
}

/** @returns one phrase for each missing requirement, from the hardware up */
export function snpLacks(findings: SnpFindings): string[] {
  const { cpuinfo, parameter, device, iommu, kvm, vmmObjects, firmware } = findings;
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? [];
  return [
    ...(flags.includes(CPU_FLAG) ? [] : [`the CPU has no ${CPU_FLAG} flag`]),
    ...(parameter === undefined
      ? ['the kernel module kvm_amd is not loaded']
      : /^[Y1]/.test(parameter)
        ? []
        : ['kvm_amd has SEV-SNP switched off']),
    ...(iommu ? [] : ['no IOMMU is active, which SEV-SNP cannot do without']),
    ...DEVICE_LACKS[device],
    ...(kvm ? [] : ['KVM does not work']),
    ...(vmmObjects === undefined || vmmObjects.includes(SNP_OBJECT)
      ? []
      : [`QEMU has no ${SNP_OBJECT} (9.1 or newer has)`]),
    ...(firmware ? [] : [NO_FIRMWARE]),
  ];
}

const NO_FIRMWARE = 'the boot set has no firmware for confidential boxes';

const DEVICE_LACKS: Readonly<Record<SevDevice, readonly string[]>> = {
  absent: [`there is no ${DEVICE}`],
  closed: [`${DEVICE} may not be opened by this user`],
  ours: [`${DEVICE} may not be opened by the users that VMMs run as (mode 0666 lets them)`],
  open: [],
};

/** Available on every host with firmware for it: it gives everything but protection. */
function simulation({ firmware, vmmObjects }: TeeHost): Capability {
  const name = 'simulated';
  if (vmmObjects === undefined) return { name, available: false, reason: 'there is no QEMU' };
  if (!firmware) return { name, available: false, reason: NO_FIRMWARE };
  const reason = 'SIMULATED, NOT HARDWARE: it protects nothing, and is for development and tests';
  return { name, available: true, reason };
}

async function sevDevice(): Promise<SevDevice> {
  const stats = await stat(DEVICE).catch(() => undefined);
  if (stats === undefined) return 'absent';
  const opens = await access(DEVICE, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!opens) return 'closed';
  // The VMMs of root run as other users, and open the device again.
  const everybody = constants.S_IROTH | constants.S_IWOTH;
  return process.geteuid?.() === 0 && (stats.mode & everybody) !== everybody ? 'ours' : 'open';
}

function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
