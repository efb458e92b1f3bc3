/**
 * What a confidential VM is launched with.
 *
 * @module
 */
import type { VcpuType } from '@a3s-box/attestation/measure';

/** The processor that serves a confidential guest: the hardware, or the simulated one. */
export const TEES = ['snp', 'simulated'] as const;

export type Tee = (typeof TEES)[number];

/** What a confidential VM is launched with besides kernel, initrd and command line. */
export interface ConfidentialLaunch {
  readonly tee: Tee;
  /** The OVMF image that checks kernel, initrd and command line against the measured table. */
  readonly firmwarePath: string;
  /** vCPU model by QEMU's name, as `VCPU_TYPES` of `@a3s-box/attestation/measure` has it. */
  readonly vcpuType: VcpuType;
  /** POLICY of the launch. */
  readonly policy: bigint;
  /** HOST_DATA: 32 bytes, SHA-256 of the launch spec's text. */
  readonly hostData: Uint8Array;
  /** ID block and its authentication, as SNP_LAUNCH_FINISH takes them. */
  readonly identity?: { readonly block: Uint8Array; readonly auth: Uint8Array } | undefined;
  /**
   * Where the simulated processor keeps the guest that it launched, so that a later server can
   * serve it. Only the server reads and writes it.
   */
  readonly guestStatePath: string;
}
