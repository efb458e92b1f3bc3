/**
 * The memory of processes, as `Pss` in `/proc`: each has its share of a page that several map, so a
 * sum counts every page once.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import type { Actor } from '../test/e2e/actor.ts';

/** Processes of a box or a pod name its directory, which has this many digits of its id. */
const SHORT_ID = 12;

/** Of a process, in MiB. */
export function proportional(pid: number): number {
  return mebibytes('Pss', readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
}

/** Of all processes of each box or pod, in MiB. @throws Error for one that has none */
export function proportionalOf(actor: Actor, ids: readonly string[]): readonly number[] {
  const processes = actor.boxProcesses();
  return ids.map((id) => {
    const own = processes.filter(({ commandLine }) => commandLine.includes(id.slice(0, SHORT_ID)));
    if (own.length === 0) throw new Error(`${id} has no process: it does not run`);
    return own.reduce((total, { pid }) => total + proportional(pid), 0);
  });
}

/** The value of a line in one of the kernel's tables. */
export function mebibytes(name: string, text: string): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
  if (line?.[1] === undefined) throw new Error(`there is no ${name}`);
  return Number(line[1]) / 1024;
}
