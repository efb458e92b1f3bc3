/**
 * vCPU models of QEMU, by the processor signature that a guest finds in RDX at reset.
 *
 * QEMU measures CPUID Fn0000_0001_EAX of the *model*, not of the machine. Versions of one model
 * share it, so no digest can distinguish EPYC-Milan-v1 from EPYC-Milan-v2.
 *
 * @module
 */

/** CPUID Fn0000_0001_EAX (AMD 25481, "Family, Model, Stepping Identifiers"). */
export function cpuSignature(family: number, model: number, stepping: number): number {
  const base = Math.min(family, 0xf);
  const extended = family - base;
  return (
    ((extended << 20) | ((model >> 4) << 16) | (base << 8) | ((model & 0xf) << 4) | stepping) >>> 0
  );
}

const EPYC = cpuSignature(23, 1, 2);
const ROME = cpuSignature(23, 49, 0);
const MILAN = cpuSignature(25, 1, 1);
const GENOA = cpuSignature(25, 17, 0);
const TURIN = cpuSignature(26, 0, 0);

/** QEMU `-cpu` name → signature: 0x800f12, 0x830f10, 0xa00f11, 0xa10f10, 0xb00f00. */
export const VCPU_SIGNATURES = {
  EPYC: EPYC,
  'EPYC-v1': EPYC,
  'EPYC-v2': EPYC,
  'EPYC-v3': EPYC,
  'EPYC-v4': EPYC,
  'EPYC-v5': EPYC,
  'EPYC-IBPB': EPYC,
  'EPYC-Rome': ROME,
  'EPYC-Rome-v1': ROME,
  'EPYC-Rome-v2': ROME,
  'EPYC-Rome-v3': ROME,
  'EPYC-Rome-v4': ROME,
  'EPYC-Rome-v5': ROME,
  'EPYC-Milan': MILAN,
  'EPYC-Milan-v1': MILAN,
  'EPYC-Milan-v2': MILAN,
  'EPYC-Milan-v3': MILAN,
  'EPYC-Genoa': GENOA,
  'EPYC-Genoa-v1': GENOA,
  'EPYC-Genoa-v2': GENOA,
  'EPYC-Turin': TURIN,
  'EPYC-Turin-v1': TURIN,
} as const;

/** A vCPU model by the name that QEMU's `-cpu` takes. */
export type VcpuType = keyof typeof VCPU_SIGNATURES;

/** All of them, in the order of their generations. */
export const VCPU_TYPES = Object.keys(VCPU_SIGNATURES) as readonly VcpuType[];

/** Whether QEMU has a vCPU model of that name with SEV-SNP, exactly as it is spelled. */
export function isVcpuType(name: string): name is VcpuType {
  return Object.hasOwn(VCPU_SIGNATURES, name);
}

/** The signature and the models that have it, such as `0xa00f11 (EPYC-Milan, EPYC-Milan-v1, …)`. */
export function describeSignature(signature: number): string {
  const names = VCPU_TYPES.filter((name) => VCPU_SIGNATURES[name] === signature);
  const hex = `0x${signature.toString(16)}`;
  return names.length === 0 ? hex : `${hex} (${names.join(', ')})`;
}
