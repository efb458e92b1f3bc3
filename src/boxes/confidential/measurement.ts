/**
 * What the secure processor will measure of a box, computed from the files of its boot set.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { type LaunchRecord, launchRecordOf } from '@a3s-box/attestation/measure';
import type { ConfidentialBoot } from '../../boot/bootset.ts';
import { PRIVILEGED_WORD } from '../../boot/profiles.ts';
import type { Tee } from '../../engine/vm/confidential-launch.ts';
import { A3sError } from '../../errors.ts';

export interface LaunchOptions {
  readonly tee: Tee;
  readonly cpus: number;
  readonly privileged?: boolean | undefined;
}

/** The words of the kernel's command line, which are measured. */
export function commandLineOf(
  { commandLines }: Pick<ConfidentialBoot, 'commandLines'>,
  { tee, privileged = false }: Pick<LaunchOptions, 'tee' | 'privileged'>,
): readonly string[] {
  return privileged ? [...commandLines[tee], PRIVILEGED_WORD] : commandLines[tee];
}

/**
 * The record of the launch that the engine would make, computed from files that are read now.
 *
 * @throws A3sError `boot-set-missing`
 */
export async function launchRecordFor(
  boot: ConfidentialBoot,
  { tee, cpus, privileged = false }: LaunchOptions,
): Promise<LaunchRecord> {
  try {
    const [ovmf, kernel, initrd] = await Promise.all(
      [boot.firmwarePath, boot.kernelPath, boot.initrdPath].map((path) => readFile(path)),
    );
    if (ovmf === undefined || kernel === undefined || initrd === undefined) {
      throw new TypeError('three files were read');
    }
    const append = commandLineOf(boot, { tee, privileged }).join(' ');
    const { vcpuType } = boot;
    return launchRecordOf({ vmm: 'qemu', ovmf, kernel, initrd, append, vcpus: cpus, vcpuType });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError('boot-set-missing', `Cannot measure the boot set: ${why}`, {
      remedy: 'Run npm run setup.',
      cause,
    });
  }
}
