/**
 * Virtual machine monitors that launch OVMF guests, and how their launches differ.
 *
 * @module
 */
import type { BlankPageType } from './launch-digest.ts';
import type { VmsaProfile } from './vmsa.ts';

/** `qemu`: QEMU and what behaves like it; `ec2`: Amazon EC2; `gce`: Google Compute Engine. */
export type Vmm = 'qemu' | 'ec2' | 'gce';

/** State of the FPU in a VMSA: as a reset leaves it, or zeros. */
export type FpuState = 'reset' | 'zero';

export interface VmmProfile {
  /** As people call it. */
  readonly title: string;
  /** Page type of memory that the firmware uses before it has set memory up. */
  readonly secMemType: BlankPageType;
  /** The CPUID page is measured after all other sections, not in its place. */
  readonly cpuidLast: boolean;
  /** What a reset leaves in RDX; undefined where it is the vCPU model's signature. */
  readonly rdx: number | undefined;
  readonly fpu: FpuState;
  readonly vmsa: Omit<VmsaProfile, 'rdx' | 'mxcsr' | 'fcw'>;
}

const DEFAULT_PAT = 0x0007_0406_0007_0406n;

export const VMM_PROFILES: Readonly<Record<Vmm, VmmProfile>> = {
  qemu: {
    title: 'QEMU',
    secMemType: 'zero',
    cpuidLast: false,
    rdx: undefined,
    fpu: 'reset',
    vmsa: {
      csAttributes: { first: 0x9b, others: 0x9b },
      ssAttributes: 0x93,
      trAttributes: 0x8b,
      gPat: DEFAULT_PAT,
    },
  },
  ec2: {
    title: 'Amazon EC2',
    secMemType: 'zero',
    cpuidLast: true,
    rdx: 0x600,
    fpu: 'zero',
    vmsa: {
      csAttributes: { first: 0x9a, others: 0x9b },
      ssAttributes: 0x92,
      trAttributes: 0x83,
      gPat: DEFAULT_PAT,
    },
  },
  gce: {
    title: 'Google Compute Engine',
    secMemType: 'unmeasured',
    cpuidLast: false,
    rdx: 0x600,
    fpu: 'zero',
    vmsa: {
      csAttributes: { first: 0x9b, others: 0x9b },
      ssAttributes: 0x93,
      trAttributes: 0x8b,
      gPat: 0x70106n,
    },
  },
};

/** Names of the monitors. */
export const VMMS = Object.keys(VMM_PROFILES) as readonly Vmm[];

const FPU_STATES = {
  reset: { mxcsr: 0x1f80, fcw: 0x37f },
  zero: { mxcsr: 0, fcw: 0 },
} as const;

/** The VMSA profile of a monitor with what is not fixed by it filled in. */
export function vmsaProfile(vmm: Vmm, rdx: number, fpu: FpuState): VmsaProfile {
  return { ...VMM_PROFILES[vmm].vmsa, rdx, ...FPU_STATES[fpu] };
}
