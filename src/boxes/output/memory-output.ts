/**
 * Output that is not kept: the last of it stays in memory, for attached clients.
 *
 * Clients that read hold the box to their pace, as with Docker. A client that takes nothing for a
 * while is no longer waited for, and misses what is dropped meanwhile.
 *
 * @module
 */
import { EventEmitter, once } from 'node:events';
import type { Following } from './follow.ts';
import type { OutputLog } from './log.ts';
import type { OutputRecord } from './record.ts';

/** What can be done with the output of a box, whether it is kept or not. */
export type BoxOutput = Pick<
  OutputLog,
  | 'open'
  | 'append'
  | 'flush'
  | 'close'
  | 'retire'
  | 'endRun'
  | 'end'
  | 'read'
  | 'broken'
  | 'waypoints'
>;

/** What is kept for a client that attaches. */
const IDLE_BYTES = 256 * 1024;
/** More than a supervisor appends before it waits for a flush. */
const READ_BYTES = 4 * 1024 * 1024;
const TIMEOUT_MS = 10_000;

interface Reader {
  next: number;
  movedAt: number;
}

export class MemoryOutput implements BoxOutput {
  readonly broken = false;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #readers = new Set<Reader>();
  readonly #timeoutMs: number;
  #records: OutputRecord[] = [];
  #bytes = 0;
  /** How many records were dropped. Positions count them as well. */
  #dropped = 0;
  #endedRun = 0;
  #closed = false;

  constructor(timeoutMs = TIMEOUT_MS) {
    this.#timeoutMs = timeoutMs;
  }

  async open(): Promise<number> {
    this.#closed = false;
    return 0;
  }

  append(record: OutputRecord): void {
    const end = this.#end();
    // The time of a reader that has taken everything so far begins now.
    for (const reader of this.#readers) {
      if (reader.next >= end) reader.movedAt = performance.now();
    }
    this.#records.push({ ...record, payload: Buffer.from(record.payload) });
    this.#bytes += record.payload.length;
    this.#drop();
    this.#changes.emit('change');
  }

  /** Settles when every reader has taken what is there, or has stalled. */
  async flush(): Promise<void> {
    const end = this.#end();
    while (!this.#closed) {
      const awaited = [...this.#readers]
        .filter(({ next }) => next < end)
        .map((reader) => this.#timeLeft(reader));
      const left = Math.max(0, ...awaited);
      if (left === 0) break;
      const late = AbortSignal.timeout(left);
      await once(this.#changes, 'taken', { signal: late }).catch(() => undefined);
    }
    this.#drop();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#changes.emit('taken');
  }

  /** Readers already have what is there in memory. */
  async retire(): Promise<void> {
    await this.close();
  }

  endRun(run: number): void {
    this.#endedRun = Math.max(this.#endedRun, run);
    this.#changes.emit('change');
  }

  async end(): Promise<number> {
    return this.#end();
  }

  /** Nothing is kept from which reading could begin. */
  async *waypoints(): AsyncGenerator<never> {}

  async *read(
    from: number,
    following: Following | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<OutputRecord> {
    const run = following?.run;
    const reader: Reader = { next: from, movedAt: performance.now() };
    this.#readers.add(reader);
    try {
      while (!signal.aborted) {
        reader.next = Math.max(reader.next, this.#dropped);
        const record = this.#records[reader.next - this.#dropped];
        if (record !== undefined) {
          yield record;
          reader.next += 1;
          reader.movedAt = performance.now();
          this.#changes.emit('taken');
        } else if (run === undefined || this.#endedRun >= run) return;
        else await once(this.#changes, 'change', { signal }).catch(() => undefined);
      }
    } finally {
      this.#readers.delete(reader);
      this.#changes.emit('taken');
    }
  }

  #end(): number {
    return this.#dropped + this.#records.length;
  }

  /** Milliseconds for which a reader that lags behind is still waited for. */
  #timeLeft({ movedAt }: Reader): number {
    return Math.ceil(movedAt + this.#timeoutMs - performance.now());
  }

  #drop(): void {
    const now = this.#closed
      ? []
      : [...this.#readers].filter((reader) => this.#timeLeft(reader) > 0);
    const slowest = Math.min(...now.map(({ next }) => next), Number.POSITIVE_INFINITY);
    while (this.#records.length > 1 && this.#bytes > READ_BYTES) this.#shift();
    while (this.#records.length > 1 && this.#bytes > IDLE_BYTES && this.#dropped < slowest)
      this.#shift();
  }

  #shift(): void {
    this.#bytes -= this.#records.shift()?.payload.length ?? 0;
    this.#dropped += 1;
  }
}
