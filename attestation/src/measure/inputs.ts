/**
 * Checks a caller's inputs of a launch and converts them to the measured figures.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import type { Launch } from './launch.ts';
import { sha256 } from './launch-digest.ts';
import { cmdlineHash, EMPTY_SHA256, type KernelHashes } from './ovmf/kernel-hashes.ts';
import { measuredOvmf } from './ovmf/ovmf.ts';
import { checkMeasured, type MeasuredOvmf, supportsKernelHashes } from './ovmf/ovmf-metadata.ts';
import { isVcpuType, VCPU_SIGNATURES, type VcpuType } from './vcpu-types.ts';
import { type FpuState, VMM_PROFILES, VMMS, type Vmm } from './vmm.ts';

/** A file, or its SHA-256 (32 bytes). */
export type MeasuredFile = Uint8Array | { readonly sha256: Uint8Array };

/** An OVMF image, or its figures. */
export type OvmfInput = Uint8Array | MeasuredOvmf;

/** What decides the launch digest of an OVMF guest. */
export interface LaunchInputs {
  readonly vmm: Vmm;
  readonly ovmf: OvmfInput;
  /** The file as it is given to the monitor, of a bzImage with its setup header. */
  readonly kernel?: MeasuredFile | undefined;
  readonly initrd?: MeasuredFile | undefined;
  /** The kernel command line; none is the same as an empty one. */
  readonly append?: string | undefined;
  /** 1 to {@link MAX_VCPUS}. */
  readonly vcpus: number;
  /** vCPU model. QEMU needs it or {@link vcpuSignature}; EC2 and GCE measure neither. */
  readonly vcpuType?: VcpuType | undefined;
  /** CPUID Fn0000_0001_EAX of the vCPU model. */
  readonly vcpuSignature?: number | undefined;
  /** SEV_FEATURES of the VMSAs; 0x1 (SNPActive) unless the host's kernel adds some. */
  readonly sevFeatures?: bigint | undefined;
  /**
   * State of the FPU in the VMSAs, where the host's kernel departs from its monitor's usual one.
   */
  readonly fpu?: FpuState | undefined;
}

/** As many as QEMU's q35 takes. */
export const MAX_VCPUS = 4096;

/** Bit 0 of SEV_FEATURES: SNPActive. */
export const SNP_ACTIVE = 1n;

/**
 * Checks inputs and hashes the files among them.
 *
 * @throws AttestationError `ovmf-malformed`; `ovmf-no-kernel-hashes`: a kernel for a firmware that
 *   would not check it; `measure-input`: anything else
 */
export function resolveLaunch(inputs: LaunchInputs): Launch {
  const { vmm, sevFeatures = SNP_ACTIVE } = inputs;
  if (!Object.hasOwn(VMM_PROFILES, vmm))
    refuse('a monitor that is known', `${vmm}`, `Name one of ${VMMS.join(', ')}.`);

  if (!Number.isInteger(inputs.vcpus) || inputs.vcpus < 1 || inputs.vcpus > MAX_VCPUS) {
    const remedy = 'Give the number of vCPUs that the guest is launched with.';
    refuse(`1 to ${MAX_VCPUS} vCPUs`, `${inputs.vcpus}`, remedy);
  }
  if (BigInt.asUintN(64, sevFeatures) !== sevFeatures || (sevFeatures & SNP_ACTIVE) === 0n) {
    refuse(
      'SEV features of 64 bits with SNPActive (0x1)',
      `0x${sevFeatures.toString(16)}`,
      'Give all bits that the host sets: 0x1, and 0x21 where it adds DebugSwap.',
    );
  }
  const rdx = resetRdx(inputs);
  const ovmf = resolveOvmf(inputs.ovmf);
  const kernel = resolveKernel(inputs, ovmf);
  const fpu = inputs.fpu ?? VMM_PROFILES[vmm].fpu;
  if (fpu !== 'reset' && fpu !== 'zero') {
    refuse('the FPU state reset or zero', `${fpu}`, "Leave it out for the monitor's usual one.");
  }
  return { vmm, ovmf, kernel, vcpus: inputs.vcpus, rdx, sevFeatures, fpu };
}

/** @throws AttestationError `ovmf-malformed` */
export function resolveOvmf(input: OvmfInput): MeasuredOvmf {
  if (input instanceof Uint8Array) return measuredOvmf(input);
  checkMeasured(input);
  return input;
}

/**
 * SHA-256 of a file.
 *
 * @throws AttestationError `measure-input`: a digest of another length
 */
export function fileHash(file: MeasuredFile, what: string): Uint8Array {
  if (file instanceof Uint8Array) return sha256(file);
  if (!(file.sha256 instanceof Uint8Array) || file.sha256.length !== EMPTY_SHA256.length) {
    const remedy = 'Give the file, or the SHA-256 of the whole of it.';
    refuse(`${what} as bytes or a SHA-256 of 32 bytes`, 'another length', remedy);
  }
  return Uint8Array.from(file.sha256);
}

/**
 * The hashes of a kernel, its initrd and its command line.
 *
 * @throws AttestationError `measure-input`
 */
export function kernelHashes(
  kernel: MeasuredFile,
  initrd?: MeasuredFile,
  append: string = '',
): KernelHashes {
  return {
    kernel: fileHash(kernel, 'the kernel'),
    initrd: initrd === undefined ? EMPTY_SHA256 : fileHash(initrd, 'the initrd'),
    cmdline: cmdlineHash(append),
  };
}

function resetRdx({ vmm, vcpuType, vcpuSignature }: LaunchInputs): number {
  if (vcpuType !== undefined && vcpuSignature !== undefined) {
    refuse('a vCPU model or its signature', 'both', 'Leave one of the two out.');
  }
  if (vcpuType !== undefined && !isVcpuType(vcpuType)) {
    const remedy = 'Give the signature of the model instead, which is CPUID Fn0000_0001_EAX.';
    refuse('a vCPU model that is known', `${vcpuType}`, remedy);
  }
  if (vcpuSignature !== undefined && vcpuSignature >>> 0 !== vcpuSignature) {
    const remedy = 'Give CPUID Fn0000_0001_EAX of the vCPU model.';
    refuse('a vCPU signature of 32 bits', `${vcpuSignature}`, remedy);
  }
  const signature = vcpuType === undefined ? vcpuSignature : VCPU_SIGNATURES[vcpuType];
  const rdx = VMM_PROFILES[vmm].rdx ?? signature;
  if (rdx === undefined) {
    const remedy = 'Name the model after -cpu of QEMU, such as EPYC-v4.';
    refuse('a vCPU model, which QEMU measures', 'none', remedy);
  }
  return rdx;
}

function resolveKernel(inputs: LaunchInputs, ovmf: MeasuredOvmf): KernelHashes | undefined {
  const { kernel, initrd, append } = inputs;
  if (kernel === undefined) {
    if (initrd !== undefined || append !== undefined) {
      refuse(
        'a kernel for the initrd and the command line',
        'none',
        'Give the kernel too, or neither of them where the launch has no kernel hashes.',
      );
    }
    return undefined;
  }
  if (!supportsKernelHashes(ovmf)) {
    throw new AttestationError(
      'ovmf-no-kernel-hashes',
      'Cannot measure the kernel: this OVMF would start it unchecked',
      {
        expected: 'an OVMF with a SEV hash table and a section for it',
        found: 'an OVMF without',
        remedy: 'Use the AmdSevX64 build of OVMF, or measure the launch without a kernel.',
      },
    );
  }
  return kernelHashes(kernel, initrd, append);
}

function refuse(expected: string, found: string, remedy: string): never {
  throw new AttestationError('measure-input', `Cannot measure the launch: expected ${expected}`, {
    expected,
    found,
    remedy,
  });
}
