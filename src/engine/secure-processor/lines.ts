/**
 * Splits a guest's stream into lines of bounded length.
 *
 * @module
 */
const NEWLINE = 0x0a;

/** Splits at newlines. A line longer than the limit is dropped; blank lines are left out. */
export class LineReader {
  readonly #limit: number;
  #kept: Buffer[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that end in this chunk. */
  *push(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      this.#keep(chunk.subarray(start, end < 0 ? chunk.length : end));
      if (end < 0) return;
      const line = this.#take();
      if (line !== undefined && line.length > 0) yield line;
      start = end + 1;
    }
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#length += part.length;
    // A copy: a slice would keep the whole chunk in memory.
    if (this.#length <= this.#limit) this.#kept.push(Buffer.from(part));
    else this.#kept = [];
  }

  /** The line so far; undefined where it was too long. */
  #take(): Buffer | undefined {
    const line = this.#length <= this.#limit ? Buffer.concat(this.#kept) : undefined;
    this.#kept = [];
    this.#length = 0;
    return line;
  }
}
