/**
 * Reads the records of an output log in order, from file to file, with one bounded buffer.
 *
 * @module
 */
import { type AnyRecord, decodeRecord, HEADER_BYTES, type OutputRecord } from './record.ts';
import type { Segment } from './segment.ts';

/**
 * Two pieces of output as they are written. Records of older logs may be larger, and get the buffer
 * that they need.
 */
const BUFFER_BYTES = 32 * 1024;
const NONE: Buffer = Buffer.alloc(0);

export class RecordReader {
  /** Oldest first. The list grows at one end and shrinks at the other. */
  readonly #segments: readonly Segment[];
  #segment: Segment | undefined;
  #buffer = NONE;
  /** Position of the first byte of `#buffer`. */
  #position: number;

  /** @param position start of a record; 0 is always one */
  constructor(segments: readonly Segment[], position = 0) {
    this.#segments = segments;
    this.#position = position;
  }

  /** Position after the last record that was read. */
  get position(): number {
    return this.#position;
  }

  /** Skips to `position`, the start of a record. */
  jump(position: number): void {
    this.#position = position;
    this.#buffer = NONE;
  }

  /**
   * The next record, or undefined where none is complete before position `limit`. Its payload is
   * valid until the next call.
   *
   * Records that were removed are skipped, and so is damage in files that are no longer written.
   */
  async next(limit: number): Promise<OutputRecord | undefined> {
    for (;;) {
      const record = await this.#step(limit);
      if (record === undefined) return undefined;
      const { stream } = record;
      if (stream !== 0) return { ...record, stream };
    }
  }

  async #step(limit: number): Promise<AnyRecord | undefined> {
    for (;;) {
      const found = decodeRecord(this.#buffer);
      if (found !== undefined && !('need' in found)) {
        this.#drop(HEADER_BYTES + found.payload.length);
        return found;
      }
      const segment = this.#locate();
      if (segment === undefined) return undefined;
      const following = this.#following(segment);
      if (found === undefined) {
        if (following === undefined) return undefined;
        this.#drop(1);
        continue;
      }
      const end = Math.min(limit, following?.base ?? limit);
      if (await this.#fill(segment, found.need, end)) continue;
      if (following === undefined || limit <= following.base) return undefined;
      // Behind the last whole record of a file there is nothing, or what a crash left.
      this.jump(following.base);
    }
  }

  #drop(length: number): void {
    const left = this.#buffer.subarray(length);
    this.#buffer = left.length === 0 ? NONE : left;
    this.#position += length;
  }

  /** The file that has the present position. Where that file is gone, the oldest one. */
  #locate(): Segment | undefined {
    const present = this.#segment;
    if (present !== undefined && !present.removed && present.base <= this.#position) {
      const following = this.#following(present);
      if (following === undefined || this.#position < following.base) return present;
    }
    const found =
      this.#segments.findLast(({ base }) => base <= this.#position) ?? this.#segments[0];
    if (found !== undefined && found.base > this.#position) this.jump(found.base);
    this.#segment = found;
    return found;
  }

  #following(segment: Segment): Segment | undefined {
    // Most readers are at the end.
    const last = this.#segments.at(-1);
    if (last === segment) return undefined;
    return this.#segments[this.#segments.indexOf(segment) + 1];
  }

  /** Reads more behind what is buffered; false where there is no more. */
  async #fill(segment: Segment, need: number, end: number): Promise<boolean> {
    const from = this.#position + this.#buffer.length;
    const wanted = Math.min(Math.max(need, BUFFER_BYTES) - this.#buffer.length, end - from);
    if (wanted <= 0) return false;
    const bytes = await segment.read(from - segment.base, wanted);
    // The file is gone. The next step finds out where to go on.
    if (bytes === undefined) {
      this.#buffer = NONE;
      return segment.removed;
    }
    if (bytes.length === 0) return false;
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    return true;
  }
}
