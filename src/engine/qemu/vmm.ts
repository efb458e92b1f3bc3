/**
 * Starts one QEMU in its cell, from opened files, up to a monitor that answers and a guest that has not begun.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { CellProgram } from '../../cell/cell.ts';
import { cellGroup, isCellUid } from '../../cell/identity.ts';
import { findTool } from '../../cell/tools.ts';
import { A3sError } from '../../errors.ts';
import { deadline } from '../deadline.ts';
import type { MachineSpec } from '../engine.ts';
import { Helper } from '../helper.ts';
import { listenFor } from '../listener.ts';
import { type FoundProcess, findDescendant, findProcesses } from '../processes.ts';
import { guestName, qemuArguments, type VmmPlan, vmmSockets } from './arguments.ts';
import { VMM } from './machine.ts';
import { QmpClient, type QmpEvent } from './qmp.ts';

export const QEMU = 'qemu-system-x86_64';
const READY_MS = 30_000;
/** Inherited descriptors come after the standard ones. */
const FIRST_FD = 3;

export interface StartedVmm {
  readonly helper: Helper;
  readonly monitor: QmpClient;
  readonly process: FoundProcess;
}

/** Open files of the caller that QEMU inherits; they stay the caller's to close. */
export interface InheritedFiles {
  /** In place of the boot set's kernel and initrd. */
  readonly kernel?: number;
  readonly ram?: number;
  readonly state?: number;
}

/**
 * One heap for all threads, which grows by a megabyte at a time. Larger pages (`glibc.malloc.hugetlb=1`) spare page faults, but
 * twenty starts at once then wait for the host to clear them.
 */
const ENVIRONMENT = {
  GLIBC_TUNABLES: 'glibc.malloc.arena_max=1:glibc.malloc.top_pad=1048576',
  // No locale: a dozen files that four programs would read.
  LC_ALL: 'C',
};

/** @throws A3sError `vmm-failed` with QEMU's last line, `tool-missing`, `state-unusable` for a file that cannot be opened */
export async function startVmm(
  plan: VmmPlan,
  inherited: InheritedFiles,
  onEvent: (event: QmpEvent) => void,
  signal: AbortSignal,
  /** Called when its process is there. */
  spawned: () => void = () => undefined,
): Promise<StartedVmm> {
  const { spec } = plan;
  const { monitor: socket } = vmmSockets(spec.runtimeDir);
  const helper = await spawnVmm(plan, inherited, socket);
  spawned();
  const waiting = AbortSignal.any([
    signal,
    helper.ended,
    deadline(READY_MS, 'vmm-failed', 'QEMU did not answer'),
  ]);
  try {
    let found: FoundProcess | undefined;
    const monitor = await QmpClient.connect(socket, onEvent, waiting, () => {
      if (helper.pid !== undefined) found = findDescendant(helper.pid, QEMU, spec.runtimeDir);
    });
    const process = found ?? findVmm(spec.id, spec.runtimeDir);
    if (process === undefined) throw new A3sError('vmm-failed', 'Cannot find the VMM in /proc');
    return { helper, monitor, process };
  } catch (error) {
    const words = signal.aborted ? undefined : await helper.lastWords();
    helper.release();
    signal.throwIfAborted();
    throw words ?? error;
  }
}

/**
 * The VMM of a box, found by what is in its command line. For root it must be of the box's group too: another box's VMM,
 * taken over by its guest, can write this one's command line over its own.
 */
export function findVmm(id: string, runtimeDir: string): FoundProcess | undefined {
  const name = `${guestName(id)},`;
  const grouped = process.geteuid?.() === 0;
  return findProcesses(runtimeDir, isCellUid).find(
    ({ program, args, inGroup }) =>
      program === QEMU && args.some((arg) => arg.startsWith(name)) && (inGroup || !grouped),
  );
}

/** How a VMM is walled in: it sees its box's runtime directory, and has what else it needs as open files. */
export function vmmCell({
  identity,
  runtimeDir,
}: Pick<MachineSpec, 'identity' | 'runtimeDir'>): Omit<
  CellProgram,
  'path' | 'args' | 'stdio' | 'outlives'
> {
  return {
    identity,
    group: cellGroup(runtimeDir),
    writable: [runtimeDir],
    readable: [],
    network: false,
    limits: { openFiles: 4096 },
    environment: ENVIRONMENT,
  };
}

async function spawnVmm(plan: VmmPlan, inherited: InheritedFiles, socket: string): Promise<Helper> {
  const { spec, accelerator } = plan;
  const path = await findTool(QEMU);
  const opened: FileHandle[] = [];
  const fds: number[] = [];
  const pass = (fd: number): number => FIRST_FD + fds.push(fd) - 1;
  const lend = (fd: number | undefined): number | undefined =>
    fd === undefined ? undefined : pass(fd);
  const read = async (file: string, flags: number): Promise<number> => {
    const handle = await openFile(file, flags);
    opened.push(handle);
    return pass(handle.fd);
  };
  const listener = await listenFor(socket);
  try {
    const { boot, disks } = spec;
    const kernel = lend(inherited.kernel) ?? (await read(boot.kernelPath, constants.O_RDONLY));
    const initrd =
      inherited.kernel === undefined ? await read(boot.initrdPath, constants.O_RDONLY) : undefined;
    const kvm = accelerator === 'kvm' ? await read('/dev/kvm', constants.O_RDWR) : undefined;
    const [ram, state] = [lend(inherited.ram), lend(inherited.state)];
    const diskFds: number[] = [];
    const backing: number[][] = [];
    for (const { path, readonly, backing: below = [] } of disks) {
      diskFds.push(await read(path, readonly ? constants.O_RDONLY : constants.O_RDWR));
      const lower: number[] = [];
      for (const image of below) lower.push(await read(image, constants.O_RDONLY));
      backing.push(lower);
    }
    const monitor = pass(listener.fd);
    const numbers = { kernel, initrd, kvm, ram, state, monitor, disks: diskFds, backing };
    const args = qemuArguments(plan, numbers);
    return await Helper.start(VMM, { ...vmmCell(spec), path, args }, fds);
  } finally {
    await Promise.all([listener.close(), ...opened.map((file) => file.close())]);
  }
}

async function openFile(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags | constants.O_NOFOLLOW);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new A3sError('state-unusable', `Cannot start a machine from ${path}: ${why}`, {
      cause: error,
    });
  }
}
