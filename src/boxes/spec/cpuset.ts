/**
 * Lists of processors as the kernel writes them: `0-3,7`.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** Linux supports no more processors. */
const MOST = 8192;
const ELEMENT = /^(\d{1,5})(?:-(\d{1,5}))?$/;

/**
 * @returns the numbers in ascending order, each once; none for the empty list
 * @throws A3sError `invalid-argument`, in Docker's words
 */
export function parseCpuset(text: string): number[] {
  if (text === '') return [];
  const found = new Set<number>();
  for (const element of text.slice(0, 65_536).split(',')) {
    const match = ELEMENT.exec(element);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || first > last || last >= MOST) {
      throw new A3sError('invalid-argument', `Invalid value ${text.slice(0, 128)} for cpuset cpus`);
    }
    for (let each = first; each <= last; each++) found.add(each);
  }
  return [...found].sort((a, b) => a - b);
}

/** The shortest text for ascending numbers. */
export function cpusetText(processors: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const each of processors) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === each - 1) last[1] = each;
    else ranges.push([each, each]);
  }
  return ranges.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(',');
}
