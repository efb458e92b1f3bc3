/**
 * A box's output, kept: everything that its main process wrote, over all runs.
 *
 * One writer appends; readers follow the file at their own pace, so nobody waits for a slow one and
 * memory does not grow with it.
 *
 * @module
 */
import { EventEmitter, once } from 'node:events';
import { type FileHandle, open, truncate } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { A3sError } from '../../errors.ts';
import { RecordReader } from './reader.ts';
import { encodeRecord, type OutputRecord } from './record.ts';
import { repairLog } from './salvage.ts';

/** Pause before a write is tried again that failed, on a full disk for one. */
const RETRY_MS = 1000;

export class OutputLog {
  readonly path: string;
  /** Told of each failed write; the box is held back until one succeeds. */
  readonly onFailure: (error: unknown) => void;
  /** Told where a log was kept that is damaged in the middle. */
  readonly onDamage: (keptAs: string) => void;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #file: FileHandle | undefined;
  /** Bytes of the file that are complete records; unknown before the first open. */
  #size: number | undefined;
  #durable = 0;
  #lasting = true;
  #endedRun = 0;
  #queue: Buffer[] = [];
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #closing = new AbortController();
  /** Why what was written last may not be on the disk, whatever the page cache says. */
  #unsafe: unknown;

  constructor(
    path: string,
    onFailure: (error: unknown) => void,
    onDamage: (keptAs: string) => void = () => undefined,
  ) {
    this.path = path;
    this.onFailure = onFailure;
    this.onDamage = onDamage;
  }

  /** The disk refused what was written: it takes no more until it is opened again. */
  get broken(): boolean {
    return this.#unsafe !== undefined;
  }

  /**
   * Makes ready to append output of `run`, after cutting off what a crash left half-written, or what the disk refused.
   *
   * @param lasting output counts as safe once it is on the disk; where a power cut ends the log with its box anyhow, it is
   *   safe once the kernel has it
   * @returns the offset behind the run's last durable byte
   */
  async open(run: number, lasting = true): Promise<number> {
    await this.close();
    this.#lasting = lasting;
    this.#closing = new AbortController();
    if (this.broken) await truncate(this.path, this.#durable);
    const made = await open(this.path, 'a', 0o600);
    await made.close();
    const found = await this.#scan(run);
    const keptAs = await repairLog(this.path, found.size);
    if (keptAs !== undefined) this.onDamage(keptAs);
    const { size, offset } = keptAs === undefined ? found : await this.#scan(run);
    const file = await open(this.path, 'a', 0o600);
    try {
      if (lasting) await file.datasync();
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#unsafe = undefined;
    this.#file = file;
    this.#size = size;
    this.#durable = size;
    return offset;
  }

  /** The length of the whole records from the start on, and the offset behind the last of `run`. */
  async #scan(run: number): Promise<{ size: number; offset: number }> {
    const reader = new RecordReader(this.path);
    let offset = 0;
    try {
      for (;;) {
        const record = await reader.next(Number.POSITIVE_INFINITY);
        if (record === undefined) return { size: reader.position, offset };
        if (record.run === run) offset = record.offset + record.payload.length;
      }
    } finally {
      await reader.close();
    }
  }

  /** Queues a record; `flush` waits for it. The caller bounds what is queued. */
  append(record: OutputRecord): void {
    // The guest still holds it.
    if (this.broken) return;
    this.#queue.push(...encodeRecord(record));
    this.#writing ??= this.#write();
  }

  /** Settles when everything that was appended so far is safe; rejects when it may never be. */
  async flush(): Promise<void> {
    if (this.broken) throw this.#unsafe;
    while (this.#writing !== undefined || this.#durable < (this.#size ?? 0)) {
      await this.#writing;
      this.#closing.signal.throwIfAborted();
      await this.#sync();
    }
  }

  /** Stops writing. What was not flushed may be lost. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
    await this.#syncing;
    this.#queue = [];
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** No more output will come from `run` and those before it. */
  endRun(run: number): void {
    this.#endedRun = Math.max(this.#endedRun, run);
    this.#changes.emit('change');
  }

  /** End of the records that are there now. */
  async end(): Promise<number> {
    if (this.#size !== undefined) return this.#size;
    const reader = new RecordReader(this.path);
    try {
      while ((await reader.next(Number.POSITIVE_INFINITY)) !== undefined);
      return reader.position;
    } finally {
      await reader.close();
    }
  }

  /**
   * Records from file position `from` on. Without `throughRun` it ends at the present end; with it,
   * when that run has ended. A payload is valid until the next step.
   */
  async *read(
    from: number,
    throughRun: number | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<OutputRecord> {
    const reader = new RecordReader(this.path, from);
    const last = throughRun === undefined ? await this.end() : undefined;
    try {
      while (!signal.aborted) {
        // Read before looking for more: what is written before the end of the run is not missed.
        const ended = throughRun === undefined || this.#endedRun >= throughRun;
        const limit = last ?? this.#size ?? Number.POSITIVE_INFINITY;
        const record = await reader.next(limit);
        if (record !== undefined) {
          yield record;
          continue;
        }
        const behind = reader.position < Math.min(limit, this.#size ?? 0);
        if (behind) throw damaged(this.path, reader.position);
        if (ended) return;
        const fresh = reader.position < (this.#size ?? 0) || this.#endedRun >= throughRun;
        if (!fresh) await this.#change(signal);
      }
    } finally {
      await reader.close();
    }
  }

  async #change(signal: AbortSignal): Promise<void> {
    try {
      await once(this.#changes, 'change', { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #write(): Promise<void> {
    try {
      while (this.#queue.length > 0 && !this.#closing.signal.aborted) {
        const batch = this.#queue;
        this.#queue = [];
        await this.#writeBatch(Buffer.concat(batch));
        this.#changes.emit('change');
      }
    } catch (error) {
      // Closed while it waited for space: the guest still holds what was not acknowledged.
      if (!this.#closing.signal.aborted) throw error;
    } finally {
      this.#writing = undefined;
    }
  }

  /** Until it is written: output that was taken from the guest and not acknowledged is all there is. */
  async #writeBatch(bytes: Buffer): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw new Error('Cannot append to an output log that is not open');
    const start = this.#size ?? 0;
    for (let failed = false; ; failed = true) {
      try {
        if (failed) await file.truncate(start);
        let done = 0;
        while (done < bytes.length) {
          const { bytesWritten } = await file.write(bytes, done, bytes.length - done);
          done += bytesWritten;
        }
        this.#size = start + bytes.length;
        return;
      } catch (error) {
        this.onFailure(error);
        await delay(RETRY_MS, undefined, { signal: this.#closing.signal });
      }
    }
  }

  async #sync(): Promise<void> {
    if (!this.#lasting) {
      this.#durable = this.#size ?? 0;
      return;
    }
    this.#syncing ??= (async () => {
      try {
        const size = this.#size ?? 0;
        await this.#file?.datasync();
        this.#durable = size;
      } catch (error) {
        await this.#distrust(error);
        throw error;
      } finally {
        this.#syncing = undefined;
      }
    })();
    await this.#syncing;
  }

  /**
   * After a failed sync the kernel may hold the pages for written, and a second sync would say that all is well. So
   * nothing since the last good one counts.
   */
  async #distrust(error: unknown): Promise<void> {
    this.#unsafe = error;
    this.onFailure(error);
    this.#closing.abort();
    await this.#writing;
    this.#queue = [];
    this.#size = this.#durable;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

function damaged(path: string, position: number): A3sError {
  return new A3sError('state-unusable', `Cannot read ${path}: it is damaged at byte ${position}`);
}
