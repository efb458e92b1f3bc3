/**
 * Which templates have to go, so that there are not too many.
 *
 * @module
 */
import type { StoredTemplate } from './template-directory.ts';

export interface Bounds {
  readonly max: number;
  /** What all of them together may take. */
  readonly diskBytes: number;
}

type Kept = Pick<StoredTemplate, 'sizeBytes' | 'lastUsed'>;

/**
 * The ones that were not used for longest, until the rest fits; none that is in use.
 *
 * @param inUse of those that cannot go
 */
export function excess<T extends Kept>(
  entries: readonly T[],
  inUse: (entry: T) => boolean,
  bounds: Bounds,
): T[] {
  let bytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let count = entries.length;
  const going: T[] = [];
  for (const entry of [...entries].sort((a, b) => a.lastUsed - b.lastUsed)) {
    if (count <= bounds.max && bytes <= bounds.diskBytes) break;
    if (inUse(entry)) continue;
    going.push(entry);
    count -= 1;
    bytes -= entry.sizeBytes;
  }
  return going;
}
