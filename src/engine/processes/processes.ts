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
 * @param counts whose processes count, by user id: any user can give a process any command line
 */
export function findProcesses(
  runtimeDir: string,
  counts: (uid: number) => boolean,
): FoundProcess[] {
  return new ProcessList(listProcesses(counts)).of(runtimeDir);
}

/** All processes of users that count. This reads all of `/proc`: three files of each process. */
export function listProcesses(counts: (uid: number) => boolean): ListedProcess[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
    .flatMap((pid) => describe(pid, counts) ?? []);
}

/**
 * The processes of one reading, for many VMs: what one VM is asked for does not grow with others.
 */
export class ProcessList {
  /** By each part of their arguments that slashes and their ends are around. */
  readonly #byPart = new Map<string, ListedProcess[]>();
  readonly #byGroup = new Map<string, ListedProcess[]>();
  readonly #byParent = new Map<number, ListedProcess[]>();

  constructor(all: readonly ListedProcess[]) {
    for (const each of all) {
      for (const part of new Set(each.words.split(/[\0/]/))) add(this.#byPart, part, each);
      for (const group of each.groups) add(this.#byGroup, group, each);
      add(this.#byParent, each.parent, each);
    }
  }

  /**
   * Those of the VM that works in a runtime directory, which is an absolute path.
   *
   * A process can overwrite its own command line. So three things count: the VM's group, where root
   * set one; the command line; and descent from a process that counts. No process can change its
   * parent, and descent leads from a jail's keeper to its program, also to virtiofsd, which as root
   * gives up its groups.
   */
  of(runtimeDir: string): FoundProcess[] {
    const [itself, inside] = [`\0${runtimeDir}\0`, `${runtimeDir}/`];
    const group = String(jailGroup(runtimeDir));
    const working = (this.#byPart.get(basename(runtimeDir)) ?? []).filter(
      ({ words, program, args }) =>
        (words.includes(itself) || words.includes(inside)) &&
        (PROGRAMS.has(program) || isShim(args)),
    );
    const found = new Set([...working, ...(this.#byGroup.get(group) ?? [])]);
    // A set is read to its end, with what is added meanwhile.
    for (const { pid } of found) {
      for (const child of this.#byParent.get(pid) ?? []) found.add(child);
    }
    return [...found].map((each) => foundProcess(each, group));
  }
}

function add<K>(map: Map<K, ListedProcess[]>, key: K, listed: ListedProcess): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [listed]);
  else known.push(listed);
}

function foundProcess(listed: ListedProcess, group: string): FoundProcess {
  const { pid, startTime, program, args, groups } = listed;
  return { ...{ pid, startTime, program, args }, inGroup: groups.includes(group) };
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
  const group = String(jailGroup(runtimeDir));
  let generation = [pid];
  for (let depth = 0; depth < DEPTH; depth++) {
    for (const each of generation) {
      const found = describe(each, () => true);
      if (found?.program === program) return foundProcess(found, group);
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

/** A process of any VM, or of none. */
interface ListedProcess extends Omit<FoundProcess, 'inGroup'> {
  readonly parent: number;
  /** Each argument between two null characters. */
  readonly words: string;
  /** Numbers of its supplementary groups, as the kernel reports them. */
  readonly groups: readonly string[];
}

function describe(pid: number, counts: (uid: number) => boolean): ListedProcess | undefined {
  const stat = statOf(pid);
  if (stat === undefined) return undefined;
  const status = readProc(`/proc/${pid}/status`) ?? '';
  const uid = /^Uid:\t(\d+)/m.exec(status)?.[1];
  if (uid === undefined || !counts(Number(uid))) return undefined;
  // Empty where the process emptied it.
  const [name = '', ...rest] = readProc(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
  const args = rest.slice(0, -1);
  return {
    pid,
    startTime: stat.startTime,
    parent: stat.parent,
    program: basename(name),
    args,
    words: `\0${args.join('\0')}\0`,
    groups: /^Groups:\t(.*)$/m.exec(status)?.[1]?.trim().split(' ') ?? [],
  };
}
