/**
 * Reads the records of an output log in order, with one bounded buffer.
 *
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises';
import { decodeRecord, HEADER_BYTES, MAX_PAYLOAD, type OutputRecord } from './record.ts';

const BUFFER_BYTES = 4 * (HEADER_BYTES + MAX_PAYLOAD);

export class RecordReader {
  readonly #path: string;
  #file: FileHandle | undefined;
  #buffer = Buffer.alloc(0);
  /** File position of the first byte of `#buffer`. */
  #position: number;

  /** @param position start of a record; 0 is always one */
  constructor(path: string, position = 0) {
    this.#path = path;
    this.#position = position;
  }

  /** File position after the last record that was read. */
  get position(): number {
    return this.#position;
  }

  /**
   * The next record, or undefined where none is complete before `limit`.
   * Its payload stays valid until the next call.
   */
  async next(limit: number): Promise<OutputRecord | undefined> {
    for (;;) {
      const found = decodeRecord(this.#buffer);
      if (found === undefined) return undefined;
      if (!('need' in found)) {
        const size = HEADER_BYTES + found.payload.length;
        this.#buffer = this.#buffer.subarray(size);
        this.#position += size;
        return found;
      }
      if (!(await this.#fill(limit))) return undefined;
    }
  }

  /** Reads on behind what is buffered; false where nothing more is there. */
  async #fill(limit: number): Promise<boolean> {
    const from = this.#position + this.#buffer.length;
    const wanted = Math.min(BUFFER_BYTES - this.#buffer.length, limit - from);
    if (wanted <= 0) return false;
    this.#file ??= await openIfThere(this.#path);
    if (this.#file === undefined) return false;
    // A small log must not cost a large buffer: many idle followers may be there.
    const { size } = await this.#file.stat();
    const chunk = Buffer.allocUnsafe(Math.max(0, Math.min(wanted, size - from)));
    if (chunk.length === 0) return false;
    const { bytesRead } = await this.#file.read(chunk, 0, chunk.length, from);
    this.#buffer = Buffer.concat([this.#buffer, chunk.subarray(0, bytesRead)]);
    return bytesRead > 0;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#buffer = Buffer.alloc(0);
    await file?.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
