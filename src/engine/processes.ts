/**
 * Processes of a machine, found through `/proc`, so that a server that did not start them can end them.
 *
 * A process id alone may belong to another process by now: each is fenced by the time it started. A zombie counts as
 * gone; it has no memory, no files and no code, it waits for a parent that may never look.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { retry } from './retry.ts';

export interface ProcessFence {
  readonly pid: number;
  /** In clock ticks since the host's start. */
  readonly startTime: string;
}

export interface FoundProcess extends ProcessFence {
  /** Name of the program that it runs. */
  readonly program: string;
  readonly args: readonly string[];
}

/** The program that stays beside each program in a cell of namespaces, and ends with it. */
export const KEEPER = 'bwrap';

/** Programs that make up a machine, the builders of their cells among them. */
const PROGRAMS = new Set([
  KEEPER,
  'passt',
  'prlimit',
  'qemu-system-x86_64',
  'setpriv',
  'virtiofsd',
]);

/**
 * All processes that work in a machine's runtime directory, by their command lines.
 *
 * @param counts whose processes count, by user id: anyone can give a process any command line
 */
export function findProcesses(
  runtimeDir: string,
  counts: (uid: number) => boolean,
): FoundProcess[] {
  const inside = `${runtimeDir}/`;
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
    .flatMap((pid) => {
      const found = describe(pid, counts);
      const works = found?.args.some((arg) => arg === runtimeDir || arg.includes(inside));
      return found !== undefined && works === true && PROGRAMS.has(found.program) ? [found] : [];
    });
}

/** Whether the process still runs: the same one, and not a zombie. */
export function isRunning({ pid, startTime }: ProcessFence): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.startTime === startTime && !'ZX'.includes(stat.state);
}

/** Kills at once. The fence is looked at right before, which is as near as a process can come without pidfds. */
export function killProcess(fence: ProcessFence): void {
  if (!isRunning(fence)) return;
  try {
    process.kill(fence.pid, 'SIGKILL');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** Waits until all are gone. No event exists for a process that is not a child. */
export async function untilGone(
  fences: readonly ProcessFence[],
  signal: AbortSignal,
): Promise<void> {
  await retry(async () => (fences.some(isRunning) ? undefined : true), signal);
}

function describe(pid: number, counts: (uid: number) => boolean): FoundProcess | undefined {
  const args = read(`/proc/${pid}/cmdline`)?.split('\0').slice(0, -1);
  const stat = readStat(pid);
  if (args?.[0] === undefined || stat === undefined || 'ZX'.includes(stat.state)) return undefined;
  const uid = /^Uid:\t(\d+)/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  if (uid === undefined || !counts(Number(uid))) return undefined;
  return { pid, startTime: stat.startTime, program: basename(args[0]), args: args.slice(1) };
}

function readStat(pid: number): { state: string; startTime: string } | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name, in parentheses, may hold anything; what follows the last one is fields 3 and up.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return state === undefined || startTime === undefined ? undefined : { state, startTime };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
