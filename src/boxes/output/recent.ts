/**
 * The last records in memory, so that a follower that keeps up with a log reads no file.
 *
 * @module
 */
import type { OutputRecord } from './record.ts';

const MAX_BYTES = 256 * 1024;
/** What an entry takes beside its payload. */
const ENTRY_BYTES = 128;

interface Entry {
  /** Undefined for what readers skip. */
  readonly record: OutputRecord | undefined;
  /** The position of what follows. */
  readonly end: number;
}

export class Recent {
  readonly #entries = new Map<number, Entry>();
  #bytes = 0;

  push(position: number, entry: Entry): void {
    this.#entries.set(position, entry);
    this.#bytes += sizeOf(entry);
    for (const [oldest, gone] of this.#entries) {
      if (this.#bytes <= MAX_BYTES) return;
      this.#entries.delete(oldest);
      this.#bytes -= sizeOf(gone);
    }
  }

  at(position: number): Entry | undefined {
    return this.#entries.get(position);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}

function sizeOf({ record }: Entry): number {
  return ENTRY_BYTES + (record?.payload.length ?? 0);
}
