/**
 * The launch record of a fake confidential VM: well-formed, and another one for other paths and
 * another command line. The files need not exist.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { type LaunchRecord, launchRecordOf } from '@a3s-box/attestation/measure';
import type { ConfidentialSpec } from '../qemu/confidential/plan.ts';

export function fakeLaunchRecord({ boot, confidential, cpus }: ConfidentialSpec): LaunchRecord {
  return launchRecordOf({
    vmm: 'qemu',
    ovmf: {
      hash: digest('sha384', confidential.firmwarePath),
      sections: [{ gpa: 0x810000, size: 0x1000, type: 'kernel-hashes' }],
      hashTableGpa: 0x810c00,
      resetEip: 0x80b004,
    },
    kernel: { sha256: digest('sha256', boot.kernelPath) },
    initrd: { sha256: digest('sha256', boot.initrdPath) },
    append: boot.commandLine.join(' '),
    vcpus: cpus,
    vcpuType: confidential.vcpuType,
  });
}

function digest(algorithm: string, text: string): Uint8Array {
  return new Uint8Array(createHash(algorithm).update(text).digest());
}
