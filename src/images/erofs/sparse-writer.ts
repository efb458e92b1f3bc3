/**
 * Writes a file in order from an offset, in large pieces. Runs of zeros become holes.
 *
 * @module
 */
import type { DiskBudget } from '../disk-budget.ts';

/** What is written to: a file handle, or a descriptor that was inherited. */
export interface PositionedFile {
  write(
    bytes: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesWritten: number }>;
  truncate(length: number): Promise<void>;
}

const PIECE = 1024 * 1024;
/** Granularity of holes. */
const RUN = 64 * 1024;
const ZEROS = Buffer.alloc(RUN);

export class SparseWriter {
  readonly #file: PositionedFile;
  readonly #budget: DiskBudget;
  readonly #piece = Buffer.alloc(PIECE);
  #filled = 0;
  /** Offset in the file of the piece's first byte. */
  #offset: number;

  constructor(file: PositionedFile, offset: number, budget: DiskBudget) {
    this.#file = file;
    this.#offset = offset;
    this.#budget = budget;
  }

  /** Offset of the next byte. */
  get position(): number {
    return this.#offset + this.#filled;
  }

  async write(bytes: Buffer): Promise<void> {
    for (let rest = bytes; rest.length > 0; ) {
      const copied = rest.copy(this.#piece, this.#filled);
      this.#filled += copied;
      rest = rest.subarray(copied);
      if (this.#filled === PIECE) await this.flush();
    }
  }

  /** Fills with zeros up to a multiple of `alignment`, which divides the size of a piece. */
  async align(alignment: number): Promise<void> {
    const over = this.position % alignment;
    if (over > 0) await this.write(ZEROS.subarray(0, alignment - over));
  }

  async flush(): Promise<void> {
    let start = 0;
    for (let end = 0; end < this.#filled; ) {
      const run = this.#piece.subarray(end, Math.min(end + RUN, this.#filled));
      if (run.equals(ZEROS.subarray(0, run.length))) {
        await this.#put(start, end);
        start = end + run.length;
      }
      end += run.length;
    }
    await this.#put(start, this.#filled);
    this.#offset += this.#filled;
    this.#filled = 0;
  }

  /** Writes a part of the piece. */
  async #put(start: number, end: number): Promise<void> {
    if (start === end) return;
    this.#budget.take(end - start);
    await writeFully(this.#file, this.#piece.subarray(start, end), this.#offset + start);
  }
}

/** A write may take less than it was given. */
export async function writeFully(
  file: PositionedFile,
  bytes: Buffer,
  offset: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
