/**
 * The log of a box: what its main process wrote, over all runs, as far back as its settings say.
 *
 * One writer appends to the last of several files. Readers follow at their own pace: a slow reader
 * delays nothing, and takes no memory. Positions count on from file to file.
 *
 * @module
 */
import { EventEmitter } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { syncDirectory } from '../../durable.ts';
import { LogFiles, type Waypoint } from './files.ts';
import { type Following, readRecords } from './follow.ts';
import { MARK_BYTES } from './mark.ts';
import { RecordReader } from './reader.ts';
import { Recent } from './recent.ts';
import { encodeRecord, HEADER_BYTES, type OutputRecord } from './record.ts';
import { repairLog } from './repair-log.ts';
import { EVERYTHING, type Retention } from './retention.ts';
import { NOTHING, tallied } from './tally.ts';

/** Pause before a failed write is tried again, for example on a full disk. */
const RETRY_MS = 1000;
/** Longer output becomes several records, so that readers need little memory. */
const PIECE_BYTES = 16 * 1024;
const WRITE_BYTES = 1024 * 1024;

export class OutputLog {
  readonly path: string;
  /** Called for each failed write. The box is held back until a write succeeds. */
  readonly onFailure: (error: unknown) => void;
  /** Called with the path of the kept file, where a log is damaged in the middle. */
  readonly onDamage: (keptAs: string) => void;
  readonly #retention: Retention;
  readonly #files: LogFiles;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #recent = new Recent();
  #followers = 0;
  #retired = false;
  #file: FileHandle | undefined;
  /** The position behind the complete records; unknown before the first open. */
  #end: number | undefined;
  #tally = NOTHING;
  #durable = 0;
  #lasting = true;
  #endedRun = 0;
  #queue: OutputRecord[] = [];
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #closing = new AbortController();
  /** Why the last writes may not be on the disk, whatever the page cache says. */
  #unsafe: unknown;

  constructor(
    path: string,
    onFailure: (error: unknown) => void,
    onDamage: (keptAs: string) => void = () => undefined,
    retention: Retention = EVERYTHING,
  ) {
    this.path = path;
    this.onFailure = onFailure;
    this.onDamage = onDamage;
    this.#retention = retention;
    this.#files = new LogFiles(path, retention, onFailure);
  }

  /** A sync failed. The log accepts nothing until it is opened again. */
  get broken(): boolean {
    return this.#unsafe !== undefined;
  }

  /**
   * Prepares to append output of `run`. First cuts off what a crash left half-written, and what a
   * failed sync left in doubt.
   *
   * @param lasting whether output counts as safe only once it is on the disk. A log that a power
   * cut ends together with its box needs only the kernel's page cache.
   * @returns the offset behind the run's last durable byte
   */
  async open(run: number, lasting = true): Promise<number> {
    await this.close();
    this.#lasting = lasting;
    this.#closing = new AbortController();
    const files = this.#files;
    await files.load();
    if (this.broken) await files.cutTo(this.#durable);
    const last = await files.last();
    const found = await files.scan(last, run);
    const keptAs = await repairLog(last.path, found.end - last.base);
    if (keptAs !== undefined) this.onDamage(keptAs);
    const { end, tally, offset } = keptAs === undefined ? found : await files.scan(last, run);
    const file = await open(last.path, 'a', 0o600);
    try {
      if (lasting) {
        await file.datasync();
        await syncDirectory(dirname(last.path));
      }
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#unsafe = undefined;
    this.#file = file;
    this.#end = end;
    this.#tally = tally;
    this.#durable = end;
    await files.prune(end);
    files.compress(this.#closing.signal);
    return offset;
  }

  /** Queues a record; `flush` waits for it. The caller bounds what is queued. */
  append(record: OutputRecord): void {
    // The guest still has it.
    if (this.broken) return;
    const { payload } = record;
    const most = Math.min(PIECE_BYTES, this.#retention.fileBytes - MARK_BYTES - HEADER_BYTES);
    for (let at = 0; at < payload.length; at += most) {
      const piece = payload.subarray(at, at + most);
      this.#queue.push({ ...record, offset: record.offset + at, payload: piece });
    }
    this.#writing ??= this.#write();
  }

  /** Settles when everything that was appended so far is safe; rejects when it may never be. */
  async flush(): Promise<void> {
    if (this.broken) throw this.#unsafe;
    while (this.#writing !== undefined || this.#durable < (this.#end ?? 0)) {
      await this.#writing;
      if (!this.broken) {
        this.#closing.signal.throwIfAborted();
        await this.#sync().catch((error: unknown) => this.#doubt(error));
      }
      if (this.broken) return await this.#distrust();
    }
  }

  /** Stops writing. What was not flushed may be lost. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
    await this.#syncing?.catch(() => undefined);
    await this.#files.compressed();
    this.#queue = [];
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** No more output will come from `run` and the runs before it. */
  endRun(run: number): void {
    this.#endedRun = Math.max(this.#endedRun, run);
    this.#changes.emit('change');
  }

  /** The end of the present records. */
  async end(): Promise<number> {
    if (this.#end !== undefined) return this.#end;
    return await this.#files.end();
  }

  /** The end of the present records, once they are on the disk as far as the log needs that. */
  async #safeEnd(): Promise<number> {
    const end = await this.end();
    while (this.#file !== undefined && !this.broken && this.#durable < end) {
      await this.#sync().catch((error: unknown) => this.#doubt(error));
    }
    return this.broken ? Math.min(end, this.#durable) : end;
  }

  /** The places where reading can begin, the latest first. */
  waypoints(): AsyncIterable<Waypoint> {
    return this.#files.waypoints();
  }

  /**
   * The records from position `from` on. Without `following`, reading ends at the present end, and
   * everything that is read outlasts a power cut; with it, reading ends when nothing more will
   * come, and the latest output may not be on the disk yet. A payload is valid until the next step.
   */
  async *read(
    from: number,
    following: Following | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<OutputRecord> {
    this.#followers += 1;
    try {
      await this.#files.load();
      yield* this.#read(from, following, signal);
    } finally {
      this.#followers -= 1;
      if (this.#followers === 0) await this.#left();
    }
  }

  async *#read(
    from: number,
    following: Following | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<OutputRecord> {
    const source = {
      reader: new RecordReader(this.#files.segments, from),
      recent: this.#recent,
      changes: this.#changes,
      end: () => this.#end,
      endedRun: () => this.#endedRun,
    };
    const last = following === undefined ? await this.#safeEnd() : undefined;
    yield* readRecords(source, last, following, signal);
  }

  /** The last reader has left. */
  async #left(): Promise<void> {
    this.#recent.clear();
    if (this.#retired) await this.#files.release();
  }

  /**
   * The log is about to be removed. Nothing is written any more; present readers read it to its end
   * all the same.
   */
  async retire(): Promise<void> {
    await this.close();
    this.#retired = true;
    if (this.#followers === 0) return;
    await this.#files.load();
    await this.#files.hold();
    // The readers may have left meanwhile.
    if (this.#followers === 0) await this.#files.release();
  }

  async #write(): Promise<void> {
    try {
      while (this.#queue.length > 0 && !this.#closing.signal.aborted) {
        const batch = this.#queue;
        this.#queue = [];
        for (let at = 0; at < batch.length; ) {
          if (this.#isFull(batch[at])) await this.#tryUntil(() => this.#rotate());
          at = await this.#writeSome(batch, at);
          this.#changes.emit('change');
        }
      }
    } catch (error) {
      // The log was closed while it waited for space. The guest still has what was not
      // acknowledged.
      if (!this.#closing.signal.aborted) throw error;
    } finally {
      this.#writing = undefined;
    }
  }

  #isFull(next: OutputRecord | undefined): boolean {
    const used = this.#files.used(this.#end ?? 0);
    const size = HEADER_BYTES + (next?.payload.length ?? 0);
    return used > MARK_BYTES && used + size > this.#retention.fileBytes;
  }

  /**
   * Writes as many records from `first` on as the last file takes, at least one. Returns the index
   * of the next record.
   */
  async #writeSome(batch: readonly OutputRecord[], first: number): Promise<number> {
    const used = this.#files.used(this.#end ?? 0);
    const parts: Buffer[] = [];
    let size = 0;
    let next = first;
    for (const record of batch.slice(first)) {
      const length = HEADER_BYTES + record.payload.length;
      const fits = used + size + length <= this.#retention.fileBytes && size < WRITE_BYTES;
      if (next > first && !fits) break;
      parts.push(...encodeRecord(record));
      size += length;
      next += 1;
    }
    const bytes = Buffer.concat(parts, size);
    await this.#tryUntil((again) => this.#writeBytes(bytes, again ? used : undefined));
    for (const record of batch.slice(first, next)) this.#wrote(record);
    return next;
  }

  #wrote(record: OutputRecord): void {
    const at = this.#end ?? 0;
    this.#end = at + HEADER_BYTES + record.payload.length;
    this.#tally = tallied(this.#tally, record);
    if (this.#followers > 0) this.#recent.push(at, { record, end: this.#end });
  }

  /** @param cutTo where a failed attempt began */
  async #writeBytes(bytes: Buffer, cutTo: number | undefined): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw new Error('Cannot append to an output log that is not open');
    if (cutTo !== undefined) await file.truncate(cutTo);
    for (let done = 0; done < bytes.length; ) {
      done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
    }
  }

  /**
   * Repeats until it succeeds: what was taken from the guest exists nowhere else until it is
   * acknowledged.
   */
  async #tryUntil(work: (again: boolean) => Promise<void>): Promise<void> {
    for (let again = false; ; again = true) {
      try {
        return await work(again);
      } catch (error) {
        this.#closing.signal.throwIfAborted();
        this.onFailure(error);
        await delay(RETRY_MS, undefined, { signal: this.#closing.signal });
      }
    }
  }

  /**
   * Starts another file. Everything before it is on the disk by then, so that only the last file
   * can be torn.
   */
  async #rotate(): Promise<void> {
    try {
      await this.#sync();
    } catch (error) {
      this.#doubt(error);
      throw error;
    }
    const base = this.#end ?? 0;
    const file = await this.#files.begin(base, this.#tally, this.#lasting);
    const before = this.#file;
    this.#file = file;
    this.#end = base + MARK_BYTES;
    if (this.#followers > 0) this.#recent.push(base, { record: undefined, end: this.#end });
    // Another caller may have asked for one more sync of the file before.
    await this.#syncing?.catch(() => undefined);
    await before?.close();
    // The next server finds again what could not be removed.
    await this.#files.prune(this.#end).catch(this.onFailure);
    this.#files.compress(this.#closing.signal);
  }

  async #sync(): Promise<void> {
    if (!this.#lasting) {
      this.#durable = this.#end ?? 0;
      return;
    }
    this.#syncing ??= (async () => {
      try {
        const end = this.#end ?? 0;
        await this.#file?.datasync();
        this.#durable = end;
      } finally {
        this.#syncing = undefined;
      }
    })();
    await this.#syncing;
  }

  /**
   * After a failed sync the kernel may count the pages as written, and a second sync would report
   * success. So nothing since the last successful sync counts.
   */
  #doubt(error: unknown): void {
    if (this.broken) return;
    this.#unsafe = error;
    this.onFailure(error);
    this.#closing.abort();
  }

  async #distrust(): Promise<never> {
    await this.#writing;
    this.#queue = [];
    this.#recent.clear();
    this.#end = this.#durable;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
    throw this.#unsafe;
  }
}
