/**
 * Inputs of launches whose digests others computed or hardware signed.
 *
 * @module
 */
import type { LaunchInputs } from '../inputs.ts';
import type { MeasuredOvmf, OvmfSection } from '../ovmf/ovmf-metadata.ts';
import { AMD_SEV_SECTIONS } from './build-ovmf.ts';
import type { KnownDigest } from './known-digests.ts';

/** Bytes of hexadecimal digits. */
export function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** Figures of the images: the last 4096 bytes of two builds of EDK II (stable 2024-05). */
const OVMF: Readonly<Record<KnownDigest['ovmf'], MeasuredOvmf>> = {
  AmdSev: {
    hash: bytes(
      '086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa16aff8c374c2a55c467a50da6d466b74',
    ),
    sections: AMD_SEV_SECTIONS,
    hashTableGpa: 0x810c00,
    resetEip: 0x80b004,
  },
  OvmfX64: {
    hash: bytes(
      'b91e6fec73d2bcc57ad5fd400a426ce02731c22ea92bc894ce675e7c9921a822977d6cf025b85f8ef4f264bff8839d20',
    ),
    sections: [...AMD_SEV_SECTIONS.slice(0, 5), { gpa: 0x810000, size: 0x10000, type: 'sec-mem' }],
    resetEip: 0x80b004,
  },
};

const FILES = {
  empty: new Uint8Array(0),
  kernel: new TextEncoder().encode('fake-kernel-image\n'),
  initrd: new TextEncoder().encode('fake-initrd-image\n'),
  none: undefined,
} as const;

export function knownInputs(known: KnownDigest): LaunchInputs {
  return {
    vmm: known.vmm,
    ovmf: OVMF[known.ovmf],
    kernel: FILES[known.kernel],
    initrd: FILES[known.initrd],
    append: known.append ?? undefined,
    vcpus: known.vcpus,
    vcpuType: known.type ?? undefined,
    sevFeatures: known.features,
  };
}

/** Of Debian's build too. */
export const MILAN_SECTIONS: readonly OvmfSection[] = [
  ...AMD_SEV_SECTIONS.slice(0, 5),
  // This build measures the kernel's hashes last.
  { gpa: 0x811000, size: 0xf000, type: 'sec-mem' },
  { gpa: 0x810000, size: 0x1000, type: 'kernel-hashes' },
];

/** A launch by QEMU on a Milan host in June 2026, whose digest its processor signed. */
export const SIGNED_LAUNCH = {
  inputs: {
    vmm: 'qemu',
    ovmf: {
      hash: bytes(
        'ffb57e393469a497c0e3b07bd1c97d8611e555f464d14491837665893ac642b263a71f9507ff100a847897fe0c3f8c6f',
      ),
      sections: MILAN_SECTIONS,
      hashTableGpa: 0x810c00,
      resetEip: 0x80b004,
    },
    kernel: { sha256: bytes('dd9ea274ce9a07090b22e8284b0c841b65c021c2d15ca57d0f16731089dd226c') },
    initrd: { sha256: bytes('5f844c4a2ca5a3d0711b3db38293b21ba929bb8e0b3c5bc1a779a57f69221c19') },
    append:
      'console=ttyS0 init=/init panic=1 net.ifnames=0 biosdevname=0 mce=off oops=panic pci=noearly ' +
      'pci=nommconf random.trust_cpu=y random.trust_bootloader=n tsc=reliable no-kvmclock ' +
      'dstack.rootfs_hash=ca5adaef0ac3a36108035925763b48a5818f634e700fbaab561d419fd30d7121 ' +
      'dstack.rootfs_size=490713088',
    vcpus: 2,
    vcpuType: 'EPYC-v4',
    sevFeatures: 1n,
  } satisfies LaunchInputs,
  digest:
    '7f51e17f72a04d5422cb2c00998166536019a217376f3aa45a630e59c805a599847ff250dbffcd07e1ba639771d6f05d',
} as const;
