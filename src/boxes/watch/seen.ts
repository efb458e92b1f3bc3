/**
 * What a box was last told of each path. The agent's report, and the box's own reads of times, show
 * up on the host as events: only what differs from the last report is a change.
 *
 * @module
 */
import type { BigIntStats } from 'node:fs';

/** More than can be reported until the events of the first report have arrived. */
const MAX_PATHS = 16_384;

export class Seen {
  /** The oldest first. */
  readonly #stamps = new Map<string, string>();

  /** Whether a path differs from what was seen of it last. Remembers it. */
  isNew(path: string, stats: Pick<BigIntStats, 'mtimeNs' | 'size' | 'ino' | 'mode'>): boolean {
    const stamp = `${stats.mtimeNs}:${stats.size}:${stats.ino}:${stats.mode}`;
    const isNew = this.#stamps.get(path) !== stamp;
    this.#stamps.delete(path);
    this.#stamps.set(path, stamp);
    const [oldest] = this.#stamps.keys();
    if (oldest !== undefined && this.#stamps.size > MAX_PATHS) this.#stamps.delete(oldest);
    return isNew;
  }

  /** The box could not be told of it. */
  forget(path: string): void {
    this.#stamps.delete(path);
  }
}
