/**
 * Finds out when the kernel has dropped events.
 *
 * All watches of the process share one inotify instance, whose queue is bounded: while the event
 * loop is busy, one box can fill it, and the events of all others are lost. The kernel's event for
 * it (`IN_Q_OVERFLOW`) does not arrive: libuv drops it. What does arrive is a queue's worth of
 * events at once.
 *
 * @module
 */
import { readFileSync } from 'node:fs';

const LIMIT = '/proc/sys/fs/inotify/max_queued_events';
/** The kernel's own. */
const DEFAULT_LIMIT = 16_384;
/** Not all events of a full queue are counted: those of watches that have ended meanwhile. */
const NEARLY = 0.75;

export class InotifyQueue {
  readonly #most: number;
  readonly #followers = new Set<() => void>();
  #events = 0;

  /** @param limit how many events the queue holds */
  constructor(limit = readLimit()) {
    this.#most = NEARLY * limit;
  }

  /** Has a function called whenever events may have been lost, until the result is called. */
  follow(lost: () => void): () => void {
    this.#followers.add(lost);
    return () => this.#followers.delete(lost);
  }

  /** Counts an event. Those that arrive at once are delivered before an immediate runs. */
  count(): void {
    if (this.#events === 0) setImmediate(() => this.#drained());
    this.#events += 1;
  }

  #drained(): void {
    const isLost = this.#events >= this.#most;
    this.#events = 0;
    if (isLost) for (const lost of [...this.#followers]) lost();
  }
}

function readLimit(): number {
  try {
    return Number.parseInt(readFileSync(LIMIT, 'utf8'), 10) || DEFAULT_LIMIT;
  } catch {
    // In a namespace without it.
    return DEFAULT_LIMIT;
  }
}

let ofProcess: InotifyQueue | undefined;

/** The queue of this process. */
export function inotifyQueue(): InotifyQueue {
  ofProcess ??= new InotifyQueue();
  return ofProcess;
}
