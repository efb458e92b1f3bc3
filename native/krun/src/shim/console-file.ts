/**
 * The guest's console in a file that does not grow without end: its last bytes.
 *
 * @module
 */
import { ftruncateSync, writeSync } from 'node:fs';

/** At least so many of the last bytes are in the file, and never more than twice as many. */
export const CONSOLE_BYTES = 64 * 1024;

export class ConsoleFile {
  readonly #fd: number;
  #length = 0;
  #tail: Buffer = Buffer.alloc(0);

  /** @param fd of an empty file, open for writing */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * A reader finds whole what was written before, but for the moment in which the file restarts.
   *
   * Drops what the file does not take, on a full disk for example: an exception here would leave
   * the process half ended, without a thread that answers signals, while the microVM runs on.
   */
  write(bytes: Buffer): void {
    try {
      this.#append(bytes);
    } catch {
      // The next write tries the same place of the file, or restarts it with the last bytes.
    }
  }

  #append(bytes: Buffer): void {
    this.#tail = Buffer.from(Buffer.concat([this.#tail, bytes]).subarray(-CONSOLE_BYTES));
    if (this.#length + bytes.length <= 2 * CONSOLE_BYTES) {
      writeSync(this.#fd, bytes, 0, bytes.length, this.#length);
      this.#length += bytes.length;
      return;
    }
    writeSync(this.#fd, this.#tail, 0, this.#tail.length, 0);
    ftruncateSync(this.#fd, this.#tail.length);
    this.#length = this.#tail.length;
  }
}
