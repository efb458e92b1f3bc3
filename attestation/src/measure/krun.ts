/**
 * The launch digest of a guest of libkrun-sev, which has no OVMF and no table of hashes.
 *
 * **Unconfirmed.** No report that hardware signed was found for it: this is read from the sources
 * of libkrun and libkrunfw. In particular the state of the FPU depends on the host's kernel.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import { toHex } from '../hex.ts';
import { bootParamsPage, KRUN_MMIO_START } from './boot-params.ts';
import { SNP_ACTIVE } from './inputs.ts';
import { LaunchDigest, PAGE_SIZE, sha384 } from './launch-digest.ts';
import type { FpuState } from './vmm.ts';
import { vmsaProfile } from './vmm.ts';
import { type VmsaProfile, vmsaPage } from './vmsa.ts';

/** Images as libkrunfw-sev hands them out: whole pages. */
export interface KrunInputs {
  /** The firmware, 64 KiB. */
  readonly qboot: Uint8Array;
  readonly kernel: Uint8Array;
  /** Guest-physical address; of a whole page. */
  readonly kernelLoadAddress: number;
  readonly initrd: Uint8Array;
  /** `ram_mib` of the TEE configuration. */
  readonly ramMib: number;
  /** `cpus` of the TEE configuration, 1 to 255. */
  readonly vcpus: number;
  /** SEV_FEATURES of the VMSAs; 0x1 unless the host's kernel adds some. */
  readonly sevFeatures?: bigint | undefined;
  /** `zero` (Linux 5.14) unless given; newer kernels likely leave that of a reset. */
  readonly fpu?: FpuState | undefined;
}

/** A digest of libkrun's scheme. */
export interface KrunMeasurement {
  /** 96 hexadecimal digits. */
  readonly digest: string;
  /** Never true: compare with a report of your own hardware before you rely on the digest. */
  readonly confirmedByHardware: false;
}

const QBOOT_ADDRESS = 0xffff_0000;
const QBOOT_SIZE = 0x1_0000;
const INITRD_ADDRESS = 0xa0_0000;
const BOOT_PARAMS_ADDRESS = 0x7000;
const BOOT_STACK = 0x8ff0;
/** Behind the room for BIOS and VGA; below it libkrun puts tables of its own. */
const HIGH_MEMORY = 0x10_0000;
const MAX_RAM_MIB = 1 << 24;

const AS_HANDED_OUT = 'Give the image as libkrunfw-sev hands it out, not as it was built.';
const AS_CONFIGURED = 'Give what the TEE configuration of libkrun says.';
const AS_LOADED = 'Give the guest-physical address that libkrunfw-sev says its kernel is for.';

const FIRST_EIP = 0xffff_fff0;
const OTHERS_EIP = 0xffff_fff3;

/**
 * Computes the digest in libkrun's order: firmware, kernel, initrd, boot parameters, then the pages
 * without contents, then the vCPUs.
 *
 * @throws AttestationError `measure-input`
 */
export function measureKrun(inputs: KrunInputs): KrunMeasurement {
  checkInputs(inputs);
  const { initrd, vcpus, ramMib, sevFeatures = SNP_ACTIVE, fpu = 'zero' } = inputs;
  const params = { ramMib, vcpus, initrdAddress: INITRD_ADDRESS, initrdSize: initrd.length };
  const digest = new LaunchDigest()
    .normal(QBOOT_ADDRESS, inputs.qboot)
    .normal(inputs.kernelLoadAddress, inputs.kernel)
    .normal(INITRD_ADDRESS, initrd)
    .normal(BOOT_PARAMS_ADDRESS, bootParamsPage(params))
    .blank('zero', 0x0)
    .blank('secrets', 0x5000)
    .blank('cpuid', 0x6000)
    .blank('zero', 0x8000, 0x7000);
  const { first, others } = vmsaHashes(sevFeatures, fpu);
  digest.vmsa(first);
  for (let index = 1; index < vcpus; index++) digest.vmsa(others);
  return { digest: toHex(digest.value()), confirmedByHardware: false };
}

function vmsaHashes(
  sevFeatures: bigint,
  fpu: FpuState,
): { readonly first: Uint8Array; readonly others: Uint8Array } {
  const profile: VmsaProfile = {
    ...vmsaProfile('ec2', 0, fpu),
    // As KVM leaves them where nothing sets segments after a reset.
    csAttributes: { first: 0x9a, others: 0x9a },
  };
  const registers = { rsp: BOOT_STACK, rbp: BOOT_STACK, rsi: BOOT_PARAMS_ADDRESS };
  return {
    first: sha384(vmsaPage(profile, { first: true, eip: FIRST_EIP, sevFeatures, registers })),
    others: sha384(vmsaPage(profile, { first: false, eip: OTHERS_EIP, sevFeatures })),
  };
}

function checkInputs(inputs: KrunInputs): void {
  const { qboot, kernel, kernelLoadAddress: start, initrd, ramMib, vcpus } = inputs;
  if (qboot.length !== QBOOT_SIZE)
    refuse('a firmware of 64 KiB', `${qboot.length} bytes`, AS_HANDED_OUT);

  requirePages(kernel, 'kernel');
  requirePages(initrd, 'initrd');
  if (!Number.isInteger(ramMib) || ramMib < 1 || ramMib > MAX_RAM_MIB) {
    refuse(`1 to ${MAX_RAM_MIB} MiB of memory`, `${ramMib}`, AS_CONFIGURED);
  }
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > 255) {
    refuse('1 to 255 vCPUs', `${vcpus}`, AS_CONFIGURED);
  }
  if (!Number.isInteger(start) || start < HIGH_MEMORY || start % PAGE_SIZE !== 0) {
    refuse('a kernel at the start of a page above 1 MiB', address(start), AS_LOADED);
  }
  const kernelEnd = start + kernel.length;
  const initrdEnd = INITRD_ADDRESS + initrd.length;
  const room = Math.min(ramMib * 1024 * 1024, KRUN_MMIO_START);
  if (kernelEnd > room || initrdEnd > room) {
    refuse('images inside the memory', `${room} bytes`, AS_CONFIGURED);
  }
  if (start < initrdEnd && INITRD_ADDRESS < kernelEnd) {
    const found = `kernel at ${address(start)}`;
    refuse('a kernel and an initrd apart from each other', found, AS_LOADED);
  }
}

function requirePages(image: Uint8Array, what: string): void {
  if (image.length === 0 || image.length % PAGE_SIZE !== 0) {
    refuse(`a ${what} of whole pages`, `${image.length} bytes`, AS_HANDED_OUT);
  }
}

function address(value: number): string {
  return `0x${value.toString(16)}`;
}

function refuse(expected: string, found: string, remedy: string): never {
  throw new AttestationError('measure-input', `Cannot measure for libkrun: expected ${expected}`, {
    expected,
    found,
    remedy,
  });
}
