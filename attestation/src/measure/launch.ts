/**
 * The launch digest of an OVMF guest as a function of a few figures.
 *
 * @module
 */

import { LaunchDigest, sha384 } from './launch-digest.ts';
import { type KernelHashes, kernelHashesPage } from './ovmf/kernel-hashes.ts';
import type { MeasuredOvmf, OvmfSection } from './ovmf/ovmf-metadata.ts';
import { type FpuState, VMM_PROFILES, type Vmm, vmsaProfile } from './vmm.ts';
import { RESET_VECTOR, vmsaPage } from './vmsa.ts';

/** What a launch digest is computed from: checked, files replaced by their hashes. */
export interface Launch {
  readonly vmm: Vmm;
  readonly ovmf: MeasuredOvmf;
  /** None where the guest is launched without kernel hashes. */
  readonly kernel: KernelHashes | undefined;
  readonly vcpus: number;
  /** What RDX holds at reset. */
  readonly rdx: number;
  readonly sevFeatures: bigint;
  readonly fpu: FpuState;
}

/** The digest over everything that does not depend on the vCPUs. */
export function measureMemory(launch: Pick<Launch, 'vmm' | 'ovmf' | 'kernel'>): LaunchDigest {
  const { vmm, ovmf } = launch;
  const digest = new LaunchDigest(ovmf.hash);
  for (const section of inOrder(vmm, ovmf.sections)) measureSection(digest, launch, section);
  return digest;
}

/** SHA-384 of the VMSA of the first vCPU, and of each of the others. */
export function vmsaHashes(launch: Pick<Launch, 'vmm' | 'ovmf' | 'rdx' | 'sevFeatures' | 'fpu'>): {
  readonly first: Uint8Array;
  readonly others: Uint8Array;
} {
  const { ovmf, sevFeatures } = launch;
  const profile = vmsaProfile(launch.vmm, launch.rdx, launch.fpu);
  return {
    first: sha384(vmsaPage(profile, { first: true, eip: RESET_VECTOR, sevFeatures })),
    others: sha384(vmsaPage(profile, { first: false, eip: ovmf.resetEip, sevFeatures })),
  };
}

/** The launch digest, 48 bytes. */
export function measureLaunch(launch: Launch): Uint8Array {
  const digest = measureMemory(launch);
  const { first, others } = vmsaHashes(launch);
  digest.vmsa(first);
  for (let index = 1; index < launch.vcpus; index++) digest.vmsa(others);
  return digest.value();
}

function inOrder(vmm: Vmm, sections: readonly OvmfSection[]): readonly OvmfSection[] {
  if (!VMM_PROFILES[vmm].cpuidLast) return sections;
  const isCpuid = (section: OvmfSection): boolean => section.type === 'cpuid';
  return [...sections.filter((each) => !isCpuid(each)), ...sections.filter(isCpuid)];
}

function measureSection(
  digest: LaunchDigest,
  launch: Pick<Launch, 'vmm' | 'ovmf' | 'kernel'>,
  { gpa, size, type }: OvmfSection,
): void {
  switch (type) {
    case 'sec-mem':
      digest.blank(VMM_PROFILES[launch.vmm].secMemType, gpa, size);
      break;
    case 'secrets':
    case 'cpuid':
      digest.blank(type, gpa);
      break;
    case 'svsm-caa':
      digest.blank('zero', gpa, size);
      break;
    case 'kernel-hashes':
      measureKernel(digest, launch, gpa);
  }
}

function measureKernel(
  digest: LaunchDigest,
  { ovmf, kernel }: Pick<Launch, 'ovmf' | 'kernel'>,
  gpa: number,
): void {
  if (kernel === undefined || ovmf.hashTableGpa === undefined) digest.blank('zero', gpa);
  else digest.normal(gpa, kernelHashesPage(kernel, ovmf.hashTableGpa));
}
