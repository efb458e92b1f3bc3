/**
 * What a box was last told of each path. The agent's report, and the box's own reads of times, show
 * up on the host as events: only what differs from the last report is a change.
 *
 * @module
 */
import { hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';

/** More than can be reported until the events of the first report have arrived. */
const MAX_PATHS = 16_384;

export class Seen {
  /** By digests of the paths, which a guest may make 4 KiB long each. The oldest first. */
  readonly #stamps = new Map<string, string>();

  /** Whether a path differs from what was seen of it last. Remembers it. */
  isNew(path: string, stats: Pick<BigIntStats, 'mtimeNs' | 'size' | 'ino' | 'mode'>): boolean {
    const stamp = `${stats.mtimeNs}:${stats.size}:${stats.ino}:${stats.mode}`;
    const key = keyOf(path);
    const isNew = this.#stamps.get(key) !== stamp;
    this.#stamps.delete(key);
    this.#stamps.set(key, stamp);
    const [oldest] = this.#stamps.keys();
    if (oldest !== undefined && this.#stamps.size > MAX_PATHS) this.#stamps.delete(oldest);
    return isNew;
  }

  /** The box could not be told of it. */
  forget(path: string): void {
    this.#stamps.delete(keyOf(path));
  }
}

function keyOf(path: string): string {
  return hash('sha256', path, 'base64');
}
