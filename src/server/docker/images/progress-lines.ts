/**
 * Lines of progress that wait for their reader. One that says where something stands takes the place of the one before,
 * so a reader that does not read costs no memory.
 *
 * @module
 */
/** The chunks, once there is a first: what fails before it is thrown here, where a status can still tell it. */
export async function afterFirstChunk(
  chunks: AsyncGenerator<Uint8Array>,
): Promise<AsyncIterable<Uint8Array>> {
  const first = await chunks.next();
  return rest(first, chunks);
}

async function* rest(
  first: IteratorResult<Uint8Array>,
  chunks: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    if (first.done !== true) yield first.value;
    yield* chunks;
  } finally {
    await chunks.return(undefined);
  }
}

export class ProgressLines {
  /** In the order in which they are to be read; a position has its own key. */
  readonly #waiting = new Map<string, unknown>();
  #count = 0;
  #puts = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  /** Whether there never was a line. */
  get isEmpty(): boolean {
    return this.#puts === 0;
  }

  /** A line that has to be read. */
  push(line: unknown): void {
    this.#count += 1;
    this.#put(`line ${this.#count}`, line);
  }

  /** A line that is worth something until the next one of the same `id`. */
  position(id: string, line: unknown): void {
    this.#put(`position ${id}`, line);
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const lines = [...this.#waiting.values()];
      this.#waiting.clear();
      if (lines.length > 0) {
        yield Buffer.from(lines.map((line) => `${JSON.stringify(line)}\r\n`).join(''));
        continue;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #put(key: string, line: unknown): void {
    if (this.#ended) return;
    this.#puts += 1;
    this.#waiting.set(key, line);
    this.#wake();
  }
}
