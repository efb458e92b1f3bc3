/**
 * Lines of progress that wait for their reader. A line about a position replaces the earlier one,
 * so a reader that does not read costs no memory.
 *
 * @module
 */
import type { FailureLine } from '../../../docker-api/failure-line.ts';
import type { Failure } from '../../http/failure.ts';

/**
 * The chunks, once the first one exists. A failure before it is thrown here, where it can still
 * become a status.
 */
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
  /** In the order in which they must be read. Each position has its own key. */
  readonly #waiting = new Map<string, unknown>();
  #count = 0;
  #puts = 0;
  #ended = false;
  #notify: () => void = () => undefined;

  /** Whether no line was ever added. */
  get isEmpty(): boolean {
    return this.#puts === 0;
  }

  /** Adds a line that must be read. */
  push(line: unknown): void {
    this.#count += 1;
    this.#put(`line ${this.#count}`, line);
  }

  /** Adds a line that the next one with the same `id` replaces. */
  position(id: string, line: unknown): void {
    this.#put(`position ${id}`, line);
  }

  end(): void {
    this.#ended = true;
    this.#notify();
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
        this.#notify = resolve;
      });
    }
  }

  #put(key: string, line: unknown): void {
    if (this.#ended) return;
    this.#puts += 1;
    this.#waiting.set(key, line);
    this.#notify();
  }
}

/** Docker's `code` in the detail is a number, so this project's code is outside the detail. */
export function failureLine({ body }: Failure): FailureLine {
  return { ...body, errorDetail: { message: body.message }, error: body.message };
}
