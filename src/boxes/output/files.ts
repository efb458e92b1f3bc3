/**
 * The files of a log. The last is appended to; those before it are kept until they are too many.
 *
 * @module
 */
import { type FileHandle, open, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../durable.ts';
import { encodeMark, MARK_BYTES } from './mark.ts';
import { RecordReader } from './reader.ts';
import type { Retention } from './retention.ts';
import { findSegments, Segment, segmentPath } from './segment.ts';
import { NOTHING, type Tally, tallied } from './tally.ts';

/** A place where reading can begin, and the tally of what was before it. */
export interface Waypoint {
  readonly position: number;
  /** Undefined where it is unknown. */
  readonly before: Tally | undefined;
}

export interface Scanned {
  /** The position behind the last whole record. */
  readonly end: number;
  readonly tally: Tally;
  /** The offset behind the last byte of the run that was asked for. */
  readonly offset: number;
}

export class LogFiles {
  /** Oldest first. Readers share this very list. */
  readonly segments: Segment[] = [];
  readonly #path: string;
  readonly #retention: Retention;
  readonly #onFailure: (error: unknown) => void;
  #loading: Promise<void> | undefined;
  #compressing: Promise<void> | undefined;

  constructor(path: string, retention: Retention, onFailure: (error: unknown) => void) {
    this.#path = path;
    this.#retention = retention;
    this.#onFailure = onFailure;
  }

  load(): Promise<void> {
    this.#loading ??= (async () => {
      this.segments.push(...(await findSegments(this.#path)));
    })();
    return this.#loading;
  }

  /**
   * The file to append to: the last one whose beginning is whole. A crash may have come while the
   * next file was made.
   */
  async last(): Promise<Segment> {
    for (;;) {
      const last = this.segments.at(-1);
      if (last === undefined || last.compressed) return await this.#first(last);
      const made = await open(last.path, 'a', 0o600);
      const { size } = await made.stat().finally(() => made.close());
      const torn = size <= MARK_BYTES && (await last.before()) === undefined;
      if (!torn || this.segments.length === 1) return last;
      this.segments.pop();
      await last.remove();
    }
  }

  /** Makes a file where there is none to append to. */
  async #first(behind: Segment | undefined): Promise<Segment> {
    const end = behind === undefined ? 0 : (await this.scan(behind, 0)).end;
    const made = await open(segmentPath(this.#path, end), 'a', 0o600);
    await made.close();
    const segment = new Segment(segmentPath(this.#path, end), end);
    this.segments.push(segment);
    return segment;
  }

  /** Reads `segment` to its last whole record. */
  async scan(segment: Segment, run: number): Promise<Scanned> {
    let tally = (await segment.before()) ?? (await this.#tallyBefore(segment));
    let offset = tally.run === run ? tally.offset : 0;
    const reader = new RecordReader([segment], segment.base);
    for (;;) {
      const record = await reader.next(Number.POSITIVE_INFINITY);
      if (record === undefined) return { end: reader.position, tally, offset };
      tally = tallied(tally, record);
      if (record.run === run) offset = tally.offset;
    }
  }

  /** The tally before a file whose beginning is damaged. */
  async #tallyBefore(segment: Segment): Promise<Tally> {
    const earlier = this.segments[this.segments.indexOf(segment) - 1];
    return earlier === undefined ? NOTHING : (await this.scan(earlier, 0)).tally;
  }

  /** The end of a log without a writer. */
  async end(): Promise<number> {
    await this.load();
    const last = this.segments.at(-1);
    return last === undefined ? 0 : (await this.scan(last, 0)).end;
  }

  /** Bytes of the last file, in a log that ends at `end`. */
  used(end: number): number {
    return end - (this.segments.at(-1)?.base ?? 0);
  }

  /** Where reading can begin, the latest first. */
  async *waypoints(): AsyncGenerator<Waypoint> {
    await this.load();
    for (const segment of [...this.segments].reverse()) {
      const before = await segment.before();
      if (!segment.removed) yield { position: segment.base, before };
    }
  }

  /**
   * Starts another file.
   *
   * @param before the tally of everything before it
   * @param lasting whether the file must outlast a power cut
   */
  async begin(base: number, before: Tally, lasting: boolean): Promise<FileHandle> {
    const path = segmentPath(this.#path, base);
    const file = await open(path, 'w', 0o600);
    try {
      await file.writeFile(encodeMark(before));
      if (lasting) {
        await file.datasync();
        await syncDirectory(dirname(path));
      }
    } catch (error) {
      await file.close();
      throw error;
    }
    this.segments.push(new Segment(path, base, false, before));
    return file;
  }

  /**
   * Removes the oldest files of a log that ends at `end`, so that there is room for the last one to
   * become full.
   */
  async prune(end: number): Promise<void> {
    const { fileBytes, totalBytes } = this.#retention;
    const full = Math.max(end - this.used(end) + fileBytes, end);
    for (;;) {
      const [oldest, following] = this.segments;
      if (oldest === undefined || following === undefined) return;
      if (full - oldest.base <= totalBytes) return;
      this.segments.shift();
      await oldest.remove();
    }
  }

  /** Compresses in the background, one file at a time. */
  compress(signal: AbortSignal): void {
    if (!this.#retention.compress || this.#compressing !== undefined) return;
    this.#compressing = this.#compressAll(signal)
      .catch(this.#onFailure)
      .finally(() => {
        this.#compressing = undefined;
      });
  }

  async #compressAll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const next = this.segments.slice(0, -1).find(({ compressible }) => compressible);
      if (next === undefined) return;
      await next.compress();
    }
  }

  /** From now on the files can be read even when their names are gone. */
  async hold(): Promise<void> {
    for (const segment of this.segments) await segment.hold();
  }

  /** The files are not read any more. */
  async release(): Promise<void> {
    for (const segment of this.segments) await segment.release();
  }

  /** Settles when nothing is being compressed. */
  async compressed(): Promise<void> {
    await this.#compressing;
  }

  /** Drops everything behind `end`. */
  async cutTo(end: number): Promise<void> {
    for (;;) {
      const last = this.segments.at(-1);
      if (last === undefined) return;
      if (last.base < end || this.segments.length === 1) {
        return await truncate(last.path, end - last.base);
      }
      this.segments.pop();
      await last.remove();
    }
  }
}
