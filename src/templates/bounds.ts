/**
 * Selects the templates that are removed to stay below the limits.
 *
 * @module
 */
import type { StoredTemplate } from './template-directory.ts';

export interface Bounds {
  readonly max: number;
  /** The limit of the disk space of all of them together. */
  readonly diskBytes: number;
}

type Kept = Pick<StoredTemplate, 'sizeBytes' | 'lastUsed'>;

/**
 * The least recently used templates, until the rest fits; none that is in use.
 *
 * @param inUse the keys of templates that cannot be removed
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
