/**
 * Output of a box whose host may watch it and may not keep it: the last of it in memory, for clients that are attached.
 *
 * @module
 */
import { EventEmitter, once } from 'node:events';
import type { OutputLog } from './log.ts';
import type { OutputRecord } from './record.ts';

/** What is done with the output of a box, wherever it goes. */
export type BoxOutput = Pick<
  OutputLog,
  'open' | 'append' | 'flush' | 'close' | 'endRun' | 'end' | 'read' | 'broken'
>;

/** Clients that fall behind by more miss what is between. */
const MAX_BYTES = 256 * 1024;

export class LiveOutput implements BoxOutput {
  readonly broken = false;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #records: OutputRecord[] = [];
  #bytes = 0;
  /** How many have been dropped: positions count all of them. */
  #dropped = 0;
  #endedRun = 0;

  async open(): Promise<number> {
    return 0;
  }

  append(record: OutputRecord): void {
    this.#records.push({ ...record, payload: Buffer.from(record.payload) });
    this.#bytes += record.payload.length;
    while (this.#bytes > MAX_BYTES && this.#records.length > 1) this.#drop();
    this.#changes.emit('change');
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  endRun(run: number): void {
    this.#endedRun = Math.max(this.#endedRun, run);
    this.#changes.emit('change');
  }

  async end(): Promise<number> {
    return this.#dropped + this.#records.length;
  }

  async *read(
    from: number,
    throughRun: number | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<OutputRecord> {
    let next = from;
    while (!signal.aborted) {
      next = Math.max(next, this.#dropped);
      const record = this.#records[next - this.#dropped];
      if (record !== undefined) {
        next += 1;
        yield record;
      } else if (throughRun === undefined || this.#endedRun >= throughRun) return;
      else await once(this.#changes, 'change', { signal }).catch(() => undefined);
    }
  }

  #drop(): void {
    const gone = this.#records.shift();
    this.#bytes -= gone?.payload.length ?? 0;
    this.#dropped += 1;
  }
}
