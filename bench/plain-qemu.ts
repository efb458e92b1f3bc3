/**
 * QEMU alone: the machine that boxes get, with nothing around it.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBootSet } from '../src/boot/bootset.ts';
import type { MachineSpec } from '../src/engine/engine.ts';
import { type Accelerator, qemuArguments } from '../src/engine/qemu/arguments.ts';

/** The machine of a box that asks for nothing. */
export const PLAIN_CPUS = 1;
export const PLAIN_MEMORY = 512 * 1024 * 1024;

/** That machine, with the boot set of an installation; its sockets lie in `directory`. */
export async function plainMachine(installation: string, directory: string): Promise<MachineSpec> {
  return {
    id: '0'.repeat(64),
    runtimeDir: directory,
    identity: { uid: 0, gid: 0 },
    cpus: PLAIN_CPUS,
    memoryBytes: PLAIN_MEMORY,
    boot: await readBootSet(join(installation, 'dist/boot')),
    disks: [],
    nic: undefined,
    shares: [],
  };
}

/** What boxes run on here. There is a verdict where there was a choice; the first start makes it. */
export function chosenAccelerator(home: string): Accelerator {
  const verdict = join(home, 'accelerator.json');
  if (!existsSync(verdict)) return 'tcg';
  const { accelerator } = JSON.parse(readFileSync(verdict, 'utf8')) as { accelerator: Accelerator };
  return accelerator;
}

/**
 * Starts it.
 *
 * @param change what is to be different in the arguments that a box's VMM gets
 */
export function startQemu(
  spec: MachineSpec,
  accelerator: Accelerator,
  change: (args: readonly string[]) => readonly string[],
): ChildProcess {
  const kernel = openSync(spec.boot.kernelPath, 'r');
  const initrd = openSync(spec.boot.initrdPath, 'r');
  const kvm = accelerator === 'kvm' ? openSync('/dev/kvm', 'r+') : undefined;
  const inherited = [kernel, initrd, ...(kvm === undefined ? [] : [kvm])];
  const fds = { kernel: 3, initrd: 4, kvm: kvm === undefined ? undefined : 5, disks: [] };
  try {
    return spawn('qemu-system-x86_64', change(qemuArguments(spec, accelerator, fds)), {
      stdio: ['ignore', 'ignore', 'inherit', ...inherited],
    });
  } finally {
    for (const fd of inherited) closeSync(fd);
  }
}
