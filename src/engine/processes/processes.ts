/**
 * Finds the processes of a VM through `/proc`, so that a server that did not start them can end
 * them.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { SHIM_MONITOR } from '@a3s-box/krun/shim';
import { jailGroup } from '../../jail/identity.ts';
import { type ProcessFence, readProc, statOf } from '../../processes/fence.ts';

export interface FoundProcess extends ProcessFence {
  /** Name of the program that it runs. */
  readonly program: string;
  readonly args: readonly string[];
  /** Whether the kernel reports that the process is of the VM's group. */
  readonly inGroup: boolean;
}

/** The program that runs beside each program in a jail of namespaces, and ends with it. */
export const KEEPER = 'bwrap';

/** The file of the shim's program. */
const SHIM_BUNDLE = 'krun-shim.cjs';

/** The programs of a VM, and the programs that build their jails. */
const PROGRAMS = new Set([
  KEEPER,
  'passt',
  'prlimit',
  'qemu-system-aarch64',
  'qemu-system-x86_64',
  'setpriv',
  'taskset',
  'virtiofsd',
]);

/**
 * All processes of the VM that works in a runtime directory.
 *
 * A process can overwrite its own command line. So three things count: the VM's group, where root
 * set one; the command line; and descent from a process that counts. No process can change its
 * parent, and descent leads from a jail's keeper to its program, also to virtiofsd, which as root
 * gives up its groups.
 *
 * @param counts whose processes count, by user id: any user can give a process any command line
 */
export function findProcesses(
  runtimeDir: string,
  counts: (uid: number) => boolean,
): FoundProcess[] {
  const inside = `${runtimeDir}/`;
  const group = jailGroup(runtimeDir);
  const all = readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
    .flatMap((pid) => describe(pid, group, counts) ?? []);
  const found = new Map<number, Described>();
  for (const each of all) {
    const works = each.args.some((arg) => arg === runtimeDir || arg.includes(inside));
    const ours = PROGRAMS.has(each.program) || isShim(each.args);
    if (each.inGroup || (works && ours)) found.set(each.pid, each);
  }
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const each of all) if (found.has(each.parent)) found.set(each.pid, each);
  }
  return [...found.values()];
}

/** A shim of libkrun, or its monitor, which may be gone: both are run by Node.js. */
function isShim(args: readonly string[]): boolean {
  return args.includes(SHIM_MONITOR) || args.some((arg) => basename(arg) === SHIM_BUNDLE);
}

/**
 * The one process of that program among a process, its children and their children: a program in
 * its jail, from the keeper. This reads far less than all of `/proc`.
 */
export function findDescendant(
  pid: number,
  program: string,
  runtimeDir: string,
): FoundProcess | undefined {
  const group = jailGroup(runtimeDir);
  let generation = [pid];
  for (let depth = 0; depth < DEPTH; depth++) {
    for (const each of generation) {
      const found = describe(each, group, () => true);
      if (found?.program === program) return found;
    }
    generation = generation.flatMap(children);
  }
  return undefined;
}

/** A keeper, its program, and one more. */
const DEPTH = 3;

/** None where the kernel does not say. */
function children(pid: number): number[] {
  const text = readProc(`/proc/${pid}/task/${pid}/children`) ?? '';
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}

interface Described extends FoundProcess {
  readonly parent: number;
}

function describe(
  pid: number,
  group: number,
  counts: (uid: number) => boolean,
): Described | undefined {
  const stat = statOf(pid);
  if (stat === undefined) return undefined;
  const status = readProc(`/proc/${pid}/status`) ?? '';
  const uid = /^Uid:\t(\d+)/m.exec(status)?.[1];
  if (uid === undefined || !counts(Number(uid))) return undefined;
  const groups = /^Groups:\t(.*)$/m.exec(status)?.[1]?.trim().split(' ') ?? [];
  const inGroup = groups.includes(String(group));
  // Empty where the process emptied it.
  const [name = '', ...args] = readProc(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
  return {
    pid,
    startTime: stat.startTime,
    parent: stat.parent,
    program: basename(name),
    args: args.slice(0, -1),
    inGroup,
  };
}
