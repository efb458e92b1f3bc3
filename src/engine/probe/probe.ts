/**
 * A VM without a box, used for a probe.
 *
 * @module
 */
import { mkdir, rm } from 'node:fs/promises';
import { CONVERTER_IDENTITY, identityFor } from '../../jail/identity.ts';
import { endProcesses } from '../processes/sweep.ts';
import { prepareDirectory } from '../runtime-directory.ts';
import type { GuestBoot } from '../vm/guest-boot.ts';
import type { VmSpec } from '../vm/vm-spec.ts';

const MEMORY = 256 * 2 ** 20;

export interface ProbePlace {
  readonly boot: GuestBoot;
  /** A short path that does not exist. The probe makes and removes it. */
  readonly runtimeDir: string;
}

/** Probes that are under way. */
const probes = new Set<Promise<unknown>>();

/** Resolves when this process has no probe VM left, and no file of one. */
export async function probesEnded(): Promise<void> {
  await Promise.allSettled([...probes]);
}

/** @param use starts the VM; whatever is left of it afterwards is ended */
export async function withProbe<T>(
  place: ProbePlace,
  use: (spec: VmSpec) => Promise<T>,
): Promise<T> {
  const probe = probeOnce(place, use);
  probes.add(probe);
  try {
    return await probe;
  } finally {
    probes.delete(probe);
  }
}

async function probeOnce<T>(
  { boot, runtimeDir }: ProbePlace,
  use: (spec: VmSpec) => Promise<T>,
): Promise<T> {
  const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const identity = own.uid === 0 ? CONVERTER_IDENTITY : identityFor(own.uid, own.gid, []);
  await mkdir(runtimeDir, { recursive: true });
  try {
    await prepareDirectory(runtimeDir, identity);
    return await use({
      id: '0'.repeat(64),
      runtimeDir,
      identity,
      cpus: 1,
      memoryBytes: MEMORY,
      boot,
      disks: [],
      nic: undefined,
      shares: [],
    });
  } finally {
    await endProcesses(runtimeDir);
    await rm(runtimeDir, { recursive: true, force: true });
  }
}
