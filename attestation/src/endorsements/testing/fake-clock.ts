/**
 * A clock whose sleeps end at once.
 *
 * @module
 */
import type { Clock } from '../transport/clock.ts';

/** Every sleep is over at once, and moves the time, apart from those of lengths that are held. */
export class FakeClock implements Clock {
  time: number;
  /** How long each sleep that was not held took. */
  readonly sleeps: number[] = [];
  readonly #held: ReadonlySet<number>;
  readonly #sleepers = new Set<() => void>();

  constructor(time: Date, held: readonly number[] = []) {
    this.time = time.getTime();
    this.#held = new Set(held);
  }

  now(): number {
    return this.time;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#held.has(milliseconds)) {
      this.sleeps.push(milliseconds);
      this.time += milliseconds;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      this.#sleepers.add(resolve);
      signal.addEventListener('abort', () => {
        this.#sleepers.delete(resolve);
        reject(signal.reason);
      });
    });
  }

  /** Ends every sleep that is held, without moving the time. */
  wake(): void {
    for (const resolve of this.#sleepers) resolve();
    this.#sleepers.clear();
  }

  get sleepers(): number {
    return this.#sleepers.size;
  }
}
