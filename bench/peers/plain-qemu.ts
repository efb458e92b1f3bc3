/**
 * QEMU alone, with the VM of boxes and nothing around it.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBootSet } from '../../src/boot/bootset.ts';
import { listenFor } from '../../src/engine/helpers/listener.ts';
import {
  qemuArguments,
  type VmmPlan,
  vmmSockets,
} from '../../src/engine/qemu/command-line/arguments.ts';
import type { Accelerator, VmSpec } from '../../src/engine/vm/vm-spec.ts';

/** The memory of the VM of a box that asks for nothing, and of a template. */
const MEMORY = 512 * 1024 * 1024;

const FIRST_FD = 3;

/** That VM, with the boot set of an installation; its sockets lie in `directory`. */
export async function plainVm(installation: string, directory: string): Promise<VmSpec> {
  return {
    id: '0'.repeat(64),
    runtimeDir: directory,
    identity: { uid: 0, gid: 0 },
    cpus: 1,
    memoryBytes: MEMORY,
    boot: await readBootSet(join(installation, 'dist/boot')),
    disks: [],
    nic: undefined,
    shares: [],
  };
}

/**
 * What boxes run on here. There is a verdict where there was a choice; the first start makes it.
 */
export function chosenAccelerator(home: string): Accelerator {
  const verdict = join(home, 'accelerator.json');
  if (!existsSync(verdict)) return 'tcg';
  const { accelerator } = JSON.parse(readFileSync(verdict, 'utf8')) as { accelerator: Accelerator };
  return accelerator;
}

/** Open files that take the place of what the VM would begin with. */
export interface GivenFiles {
  /** A kernel that is not run; no initrd then. */
  readonly kernel?: number;
  readonly ram?: number;
  /** The state of the devices. */
  readonly state?: number;
}

export interface StartedQemu {
  readonly child: ChildProcess;
  /** What it has said so far: warnings, or why it ended. */
  words(): string;
}

/**
 * Starts it, with the arguments that a box's VMM gets.
 *
 * @param change what is to be different in them
 */
export async function startQemu(
  plan: VmmPlan,
  given: GivenFiles = {},
  change: (args: readonly string[]) => readonly string[] = (args) => args,
): Promise<StartedQemu> {
  const { boot } = plan.spec;
  const sockets = vmmSockets(plan.spec.runtimeDir);
  const monitor = await listenFor(sockets.monitor);
  const control = await listenFor(sockets.control);
  const opened: number[] = [];
  const inherited: number[] = [];
  const lend = (fd: number | undefined): number | undefined =>
    fd === undefined ? undefined : FIRST_FD + inherited.push(fd) - 1;
  const read = (path: string, flags: string): number => {
    const fd = openSync(path, flags);
    opened.push(fd);
    return FIRST_FD + inherited.push(fd) - 1;
  };
  try {
    const fds = {
      kernel: lend(given.kernel) ?? read(boot.kernelPath, 'r'),
      initrd: given.kernel === undefined ? read(boot.initrdPath, 'r') : undefined,
      ram: lend(given.ram),
      state: lend(given.state),
      kvm: plan.accelerator === 'kvm' ? read('/dev/kvm', 'r+') : undefined,
      monitor: FIRST_FD + inherited.push(monitor.fd) - 1,
      control: FIRST_FD + inherited.push(control.fd) - 1,
      disks: [],
    };
    const child = spawn('qemu-system-x86_64', change(qemuArguments(plan, fds)), {
      stdio: ['ignore', 'ignore', 'pipe', ...inherited],
      // As for boxes.
      env: {
        ...process.env,
        GLIBC_TUNABLES: 'glibc.malloc.arena_max=1:glibc.malloc.top_pad=1048576',
      },
    });
    let words = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      words += chunk.toString();
    });
    return { child, words: () => words.trim() };
  } finally {
    for (const fd of opened) closeSync(fd);
    for (const listener of [monitor, control]) await listener.close();
  }
}
