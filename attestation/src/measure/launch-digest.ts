/**
 * The launch digest of the secure processor, page by page.
 *
 * SEV-SNP firmware ABI, SNP_LAUNCH_UPDATE: each page extends the digest with a PAGE_INFO of 0x70
 * bytes that holds the digest before, the page's contents or zeros, its type and its address.
 *
 * @module
 */
import { createHash } from 'node:crypto';

/** Bytes of a page, the unit of a measurement. */
export const PAGE_SIZE = 4096;

/** Bytes of a launch digest, and of a page's contents digest. */
export const DIGEST_SIZE = 48;

/** Guest-physical address under which every VMSA is measured. */
export const VMSA_GPA = 0xfffffffff000;

/** PAGE_TYPE of SNP_LAUNCH_UPDATE. */
export const PAGE_TYPE = {
  normal: 1,
  vmsa: 2,
  zero: 3,
  unmeasured: 4,
  secrets: 5,
  cpuid: 6,
} as const;

/** Types whose contents are not measured, only that such a page is there. */
export type BlankPageType = 'zero' | 'unmeasured' | 'secrets' | 'cpuid';

const PAGE_INFO_SIZE = 0x70;
const NO_CONTENTS = new Uint8Array(DIGEST_SIZE);

export function sha384(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha384').update(bytes).digest());
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

/**
 * A launch digest in the making: starts at zeros, or at a digest computed before.
 *
 * Addresses are guest-physical, below 2^53. Callers hand in whole pages: anything else is a
 * `RangeError`.
 */
export class LaunchDigest {
  #value: Uint8Array;

  constructor(seed: Uint8Array = NO_CONTENTS) {
    if (seed.length !== DIGEST_SIZE) throw new RangeError('a launch digest has 48 bytes');
    this.#value = Uint8Array.from(seed);
  }

  /** The digest over everything so far, 48 bytes. */
  value(): Uint8Array {
    return this.#value.slice();
  }

  /** NORMAL pages: code and data whose every byte is measured. */
  normal(gpa: number, bytes: Uint8Array): this {
    requireWholePages(bytes.length);
    for (let offset = 0; offset < bytes.length; offset += PAGE_SIZE) {
      const contents = sha384(bytes.subarray(offset, offset + PAGE_SIZE));
      this.#extend(PAGE_TYPE.normal, gpa + offset, contents);
    }
    return this;
  }

  /** Pages of which only type and address are measured. */
  blank(type: BlankPageType, gpa: number, size: number = PAGE_SIZE): this {
    requireWholePages(size);
    for (let offset = 0; offset < size; offset += PAGE_SIZE) {
      this.#extend(PAGE_TYPE[type], gpa + offset, NO_CONTENTS);
    }
    return this;
  }

  /** The initial state of one more vCPU, by the SHA-384 of its page. */
  vmsa(contents: Uint8Array): this {
    this.#extend(PAGE_TYPE.vmsa, VMSA_GPA, contents);
    return this;
  }

  #extend(type: number, gpa: number, contents: Uint8Array): void {
    const info = new Uint8Array(PAGE_INFO_SIZE);
    info.set(this.#value, 0);
    info.set(contents, 0x30);
    const view = new DataView(info.buffer);
    view.setUint16(0x60, PAGE_INFO_SIZE, true);
    view.setUint8(0x62, type);
    // 0x63 to 0x67: not an IMI page, no permissions of VMPL 3, 2 and 1, reserved.
    view.setBigUint64(0x68, BigInt(gpa), true);
    this.#value = sha384(info);
  }
}

function requireWholePages(size: number): void {
  if (size % PAGE_SIZE !== 0) throw new RangeError(`${size} bytes are not whole pages of 4096`);
}
