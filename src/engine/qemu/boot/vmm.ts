/**
 * Starts one QEMU in its jail, from opened files, up to a monitor that answers and a guest that
 * does not run yet.
 *
 * @module
 */
import { constants, readlinkSync } from 'node:fs';
import { A3sError } from '../../../errors.ts';
import { isJailUid, jailGroup } from '../../../jail/identity.ts';
import type { JailProgram } from '../../../jail/jail.ts';
import { findTool, type Tool } from '../../../jail/tools.ts';
import { deadline } from '../../deadline.ts';
import { callFilter } from '../../helpers/call-filter.ts';
import { DescriptorTable } from '../../helpers/descriptor-table.ts';
import { Helper } from '../../helpers/helper.ts';
import { pathOf } from '../../memory-file.ts';
import { fileLength } from '../../processes/file-length.ts';
import { limitProcess } from '../../processes/process-limits.ts';
import { type FoundProcess, findDescendant, findProcesses } from '../../processes/processes.ts';
import type { GuestArchitecture } from '../../vm/guest-boot.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { guestName, qemuArguments, type VmmPlan, vmmSockets } from '../command-line/arguments.ts';
import { hasSharedRam } from '../command-line/shared-ram.ts';
import { QmpClient, type QmpEvent } from '../monitor/qmp.ts';
import { VMM } from '../vm.ts';

export const QEMU = 'qemu-system-x86_64';
/** The VMM, by the architecture of the guest. */
export const VMMS = {
  amd64: QEMU,
  arm64: 'qemu-system-aarch64',
} as const satisfies Record<GuestArchitecture, Tool>;
const PROGRAMS: ReadonlySet<string> = new Set(Object.values(VMMS));
const { O_RDONLY, O_RDWR } = constants;
const READY_MS = 30_000;

export interface StartedVmm {
  readonly helper: Helper;
  readonly monitor: QmpClient;
  readonly process: FoundProcess;
}

/** Open files of the caller that QEMU inherits. The caller closes them. */
export interface InheritedFiles {
  /** These replace the boot set's kernel and initrd. */
  readonly kernel?: number;
  readonly ram?: number;
  readonly state?: number;
}

/**
 * One heap for all threads, which grows by a megabyte at a time. Larger pages
 * (`glibc.malloc.hugetlb=1`) save page faults, but then twenty starts at once wait for the host to
 * clear them.
 */
const ENVIRONMENT = {
  GLIBC_TUNABLES: 'glibc.malloc.arena_max=1:glibc.malloc.top_pad=1048576',
  // No locale: four programs would read a dozen files for it.
  LC_ALL: 'C',
};

/**
 * @throws A3sError `vmm-failed` with QEMU's last line, `tool-missing`, `state-unusable` for a file
 * that cannot be opened
 */
export async function startVmm(
  plan: VmmPlan,
  inherited: InheritedFiles,
  onEvent: (event: QmpEvent) => void,
  signal: AbortSignal,
  /** Called when its process exists. */
  spawned: () => void = () => undefined,
): Promise<StartedVmm> {
  const { spec } = plan;
  const { monitor: socket } = vmmSockets(spec.runtimeDir);
  const helper = await spawnVmm(plan, inherited, socket);
  spawned();
  return await answeringVmm(spec, helper, onEvent, signal, spec.boot.architecture);
}

/**
 * Waits for the monitor of a VMM that was just spawned.
 *
 * @throws A3sError `vmm-failed` with QEMU's last line
 */
export async function answeringVmm(
  spec: Pick<VmSpec, 'id' | 'runtimeDir' | 'hostLimits'>,
  helper: Helper,
  onEvent: (event: QmpEvent) => void,
  signal: AbortSignal,
  architecture: GuestArchitecture = 'amd64',
): Promise<StartedVmm> {
  const { monitor: socket } = vmmSockets(spec.runtimeDir);
  const waiting = AbortSignal.any([
    signal,
    helper.ended,
    deadline(READY_MS, 'vmm-failed', 'QEMU did not answer'),
  ]);
  try {
    let found: FoundProcess | undefined;
    const monitor = await QmpClient.connect(socket, onEvent, waiting, () => {
      if (helper.pid === undefined) return;
      found = findDescendant(helper.pid, VMMS[architecture], spec.runtimeDir);
    });
    const process = found ?? findVmm(spec.id, spec.runtimeDir);
    if (process === undefined) throw new A3sError('vmm-failed', 'Cannot find the VMM in /proc');
    // The limits are set before the guest runs. Processes of the VM that start later get them when
    // they exist.
    if (spec.hostLimits !== undefined) await limitProcess(process, spec.hostLimits);
    return { helper, monitor, process };
  } catch (error) {
    const words = signal.aborted ? undefined : await helper.lastWords();
    helper.release();
    signal.throwIfAborted();
    throw words ?? error;
  }
}

/**
 * The VMM of a box, found by its command line. For root the process must be of the box's group too:
 * another box's VMM that its guest has taken over can overwrite its command line with this one's.
 */
export function findVmm(id: string, runtimeDir: string): FoundProcess | undefined {
  return vmmAmong(findProcesses(runtimeDir, isJailUid), id);
}

/** @param found the processes of the box */
export function vmmAmong(found: readonly FoundProcess[], id: string): FoundProcess | undefined {
  const name = `${guestName(id)},`;
  const grouped = process.geteuid?.() === 0;
  return found.find(
    ({ program, args, inGroup }) =>
      PROGRAMS.has(program) && args.some((arg) => arg.startsWith(name)) && (inGroup || !grouped),
  );
}

/**
 * Threads too: one for each processor of the guest, 64 for disks at most, and a few more. Homes of
 * root give their boxes the same user ids, so that some of the largest boxes may count together.
 */
const PROCESSES = 4096;

/** Of QEMU beside the guest's memory: what it keeps of translated code is a GiB at most. */
const DATA_BYTES = 4 * 2 ** 30;
/** Of the thread of a processor. */
const STACK_BYTES = 2 ** 24;

type JailedSpec = Pick<VmSpec, 'identity' | 'runtimeDir' | 'memoryBytes' | 'cpus'>;

/** What a VMM may take of the host, beside its number of processors. */
interface VmmLimits {
  /** How large the guest's memory can become; absent: as large as it is. */
  readonly growthBytes?: number;
  /** How long its files become; absent: not limited. */
  readonly fileBytes?: number;
}

/**
 * How a VMM is jailed: it connects to sockets in its box's runtime directory, can make nothing
 * there, and has everything else as open files.
 */
export function vmmJail(
  { identity, runtimeDir, memoryBytes, cpus }: JailedSpec,
  { growthBytes = 0, fileBytes }: VmmLimits = {},
): Omit<JailProgram, 'path' | 'args' | 'stdio' | 'outlives'> {
  const dataBytes = Math.max(memoryBytes, growthBytes) + DATA_BYTES + cpus * STACK_BYTES;
  return {
    identity,
    group: jailGroup(runtimeDir),
    writable: [],
    readable: [runtimeDir],
    network: false,
    limits: {
      ...{ openFiles: 4096, processes: PROCESSES, dataBytes },
      raisableFileBytes: fileBytes,
    },
    environment: ENVIRONMENT,
  };
}

/**
 * @param program the path of what is started; absent: the VMM of the guest's architecture
 * @throws A3sError as `startVmm` does
 */
export async function spawnVmm(
  plan: VmmPlan,
  inherited: InheritedFiles,
  socket: string,
  program?: string,
): Promise<Helper> {
  const { spec, accelerator } = plan;
  const path = program ?? (await findTool(VMMS[spec.boot.architecture ?? 'amd64']));
  await using table = new DescriptorTable();
  const lend = (fd: number | undefined): number | undefined =>
    fd === undefined ? undefined : table.lend(fd);
  const { boot, disks } = spec;
  const kernel = lend(inherited.kernel) ?? (await table.open(boot.kernelPath, O_RDONLY));
  const initrd =
    inherited.kernel === undefined ? await table.open(boot.initrdPath, O_RDONLY) : undefined;
  const kvm = accelerator === 'kvm' ? await table.open('/dev/kvm', O_RDWR) : undefined;
  const [ram, state] = [lend(inherited.ram), lend(inherited.state)];
  const diskFds: number[] = [];
  const backing: number[][] = [];
  for (const { path, readonly, backing: below = [] } of disks) {
    diskFds.push(await table.open(path, readonly ? O_RDONLY : O_RDWR));
    const lower: number[] = [];
    for (const image of below) lower.push(await table.open(image, O_RDONLY));
    backing.push(lower);
  }
  const monitor = await table.listen(socket);
  const control = await table.listen(vmmSockets(spec.runtimeDir).control);
  const numbers = { kernel, initrd, kvm, ram, state, monitor, control, disks: diskFds, backing };
  const args = qemuArguments(plan, numbers);
  const { growthBytes, start } = plan;
  const fileBytes = await fileLength(disks, memoryOf(spec));
  const filter = await callFilter(table, { memoryFiles: hasSharedRam(spec) });
  const writesRam = start === 'save' || (start === 'template' && hasSharedRam(spec));
  // Of memory files Landlock knows nothing, and takes no rule.
  const reopened = writesRam && ram !== undefined && isInDirectory(inherited.ram) ? [ram] : [];
  const jail = { ...vmmJail(spec, { growthBytes, fileBytes }), ...filter, reopened };
  return await Helper.start(VMM, { ...jail, path, args }, table.fds);
}

/** Whether what a descriptor leads to is no memory file. */
function isInDirectory(fd: number | undefined): boolean {
  return fd !== undefined && !readlinkSync(pathOf(fd)).startsWith('/memfd:');
}

/** A VM that needs less than its template, or what it is a fork of, has that much all the same. */
function memoryOf({ memoryBytes, template, fork }: VmSpec): number {
  const saved = (fork?.memory.bytes ?? 0) + (fork?.growth?.bytes ?? 0);
  return Math.max(memoryBytes, template?.memoryBytes ?? 0, saved);
}
