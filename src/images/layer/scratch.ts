/**
 * Keeps the data of a disk's files between the pass that computes the layout and the pass that
 * writes the data.
 *
 * A layer is then decompressed and hashed only once, and the bytes that are read back are checked
 * ones. Where room is scarce, nothing is kept and the second pass reads the layers again.
 *
 * @module
 */
import { DiskBudget } from '../disk-budget.ts';
import { type PositionedFile, SparseWriter } from '../erofs/sparse-writer.ts';

/** Open for reading and writing, empty, and without a name. */
export interface ScratchFile extends PositionedFile {
  read(
    bytes: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }>;
}

/** Share of the free room: the disk takes about as much again, and others write too. */
const SHARE = 4;
const WINDOW = 1024 * 1024;

export class Scratch {
  readonly #file: ScratchFile;
  readonly #budget: DiskBudget;
  readonly #allowed: number;
  readonly #writer: SparseWriter;
  /** By layer and entry: where its data starts. */
  readonly #starts: number[][] = [];
  readonly #window = Buffer.alloc(WINDOW);
  /** Offset of the window in the file, and how much of it is filled. */
  #from = 0;
  #filled = 0;
  #complete = true;

  /** @param budget of the disk that is to be written */
  constructor(file: ScratchFile, budget: DiskBudget) {
    this.#file = file;
    this.#budget = budget;
    this.#allowed = Math.floor(Math.max(0, budget.left) / SHARE);
    // Bounded by the budget. The code below charges the disk's own budget with it and later returns
    // it.
    this.#writer = new SparseWriter(file, 0, new DiskBudget(budget.directory, this.#allowed));
  }

  /** Whether the data of every entry that was handed over is here. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Takes the data of an entry, so many bytes; entries come in the order of their archives. */
  async keep(
    layer: number,
    entry: number,
    size: number,
    body: AsyncIterable<Buffer>,
  ): Promise<void> {
    if (!this.#complete || size === 0) return;
    if (this.#writer.position + size > this.#allowed) {
      this.#complete = false;
      await this.#file.truncate(0);
      return;
    }
    const starts = this.#starts[layer] ?? [];
    this.#starts[layer] = starts;
    starts[entry] = this.#writer.position;
    for await (const chunk of body) await this.#writer.write(chunk);
  }

  /** All data has been passed in. */
  async finish(): Promise<void> {
    if (!this.#complete) return;
    await this.#writer.flush();
    // Trailing zeros become a hole.
    await this.#file.truncate(this.#writer.position);
    this.#budget.take(this.#writer.position);
  }

  /** The data of an entry. Each part holds until the next one is asked for. */
  async *read(layer: number, entry: number, size: number): AsyncGenerator<Buffer> {
    if (size === 0) return;
    const start = this.#starts[layer]?.[entry];
    if (start === undefined) throw new RangeError('Cannot read data: it was not kept');
    const end = start + size;
    for (let position = start; position < end; ) {
      if (position < this.#from || position >= this.#from + this.#filled) {
        await this.#fill(position);
      }
      const at = position - this.#from;
      const part = this.#window.subarray(at, Math.min(this.#filled, at + end - position));
      position += part.length;
      yield part;
    }
  }

  async #fill(position: number): Promise<void> {
    const { bytesRead } = await this.#file.read(this.#window, 0, WINDOW, position);
    if (bytesRead === 0) throw new RangeError('Cannot read data: its file ends too early');
    this.#from = position;
    this.#filled = bytesRead;
  }
}
