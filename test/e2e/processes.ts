/**
 * Lists the processes of this host from `/proc`.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { scaled } from './time-scale.ts';

export interface HostProcess {
  readonly pid: number;
  readonly commandLine: string;
  readonly environment: readonly string[];
}

/** Every live process whose command line contains the text, this one excepted. */
export function processesWith(text: string): readonly HostProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => ({
      pid: Number(name),
      // Empty for a kernel thread, and for a zombie: neither runs.
      commandLine: read(`/proc/${name}/cmdline`).join(' '),
      environment: read(`/proc/${name}/environ`),
    }))
    .filter((process) => process.commandLine.includes(text));
}

/** NUL-separated entries; none when the process has gone, or belongs to somebody else. */
function read(path: string): readonly string[] {
  try {
    return readFileSync(path, 'latin1').split('\0');
  } catch {
    return [];
  }
}

/**
 * Most conditions cost a process each time that they are looked at, which takes its time from what
 * is waited for.
 */
const MOST_MS = 200;

/** Waits for a condition that gives no event; fails with its name at the deadline. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 120_000,
): Promise<void> {
  const end = Date.now() + scaled(deadlineMs);
  for (let pauseMs = 10; !(await condition()); pauseMs = Math.min(2 * pauseMs, MOST_MS)) {
    if (Date.now() > end) throw new Error(`gave up after ${scaled(deadlineMs)} ms: ${what}`);
    await sleep(pauseMs);
  }
}
