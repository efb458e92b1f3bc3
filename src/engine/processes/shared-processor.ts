/**
 * The processor that the file servers of a VM share.
 *
 * A server handles requests in one thread. Several servers of a box run on one processor, so a
 * guest cannot keep more than one busy with requests, however many mounts it has.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

export interface SharingServers {
  readonly runtimeDir: string;
  /** How many there are. */
  readonly count: number;
  /** Processors of the host that the box may have; none, or absent: all. */
  readonly processors?: readonly number[] | undefined;
}

/**
 * @param allowed the processors that this process may have
 * @returns undefined where there is nothing to choose, or nothing to bound
 */
export function sharedProcessor(
  { runtimeDir, count, processors = [] }: SharingServers,
  allowed: readonly number[],
): number | undefined {
  const usable = allowed.filter((each) => processors.length === 0 || processors.includes(each));
  if (count < 2 || usable.length === 0) return undefined;
  // Boxes are spread over the processors.
  return usable[createHash('sha256').update(runtimeDir).digest().readUInt32LE() % usable.length];
}

/** The processors that this process may have, of a list such as `0-3,7`. */
export async function ownProcessors(): Promise<readonly number[]> {
  const status = await readFile('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\t(.+)$/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
