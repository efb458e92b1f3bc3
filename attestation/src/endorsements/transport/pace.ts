/**
 * Limits the rate of requests to a service with a rate limit.
 *
 * @module
 */
import { AttestationError } from '../../errors.ts';
import type { Clock } from './clock.ts';

/**
 * Spaces turns in time.
 *
 * The callers' deadlines bound the queue: a caller whose turn would come too late is refused at
 * once. So a flood of requests neither piles up here nor reaches the service.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #spacing: number;
  /** The next turn that is free. */
  #next = 0;
  /** No turn before that counts. */
  #held = 0;

  /** `spacing` in milliseconds; 0 leaves only what {@link hold} asks. */
  constructor(clock: Clock, spacing: number) {
    this.#clock = clock;
    this.#spacing = spacing;
  }

  /** When the next turn is, in milliseconds since 1970; the past stands for now. */
  get free(): number {
    return Math.max(this.#next, this.#held);
  }

  /**
   * Resolves when it is the caller's turn.
   *
   * @throws AttestationError `kds-rate-limited` if that would be after `deadline`, with the time at
   * which to try again.
   */
  async acquire(deadline: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = this.#clock.now();
      const turn = Math.max(now, this.free);
      if (turn > deadline) throw rateLimited(turn);
      this.#next = turn + this.#spacing;
      await this.#clock.sleep(turn - now, signal);
      // The service may have asked for a pause meanwhile.
      if (this.#held <= turn) return;
    }
  }

  /** Delays all turns until `until`. */
  hold(until: number): void {
    this.#held = Math.max(this.#held, until);
  }
}

function rateLimited(at: number): AttestationError {
  const time = new Date(at).toISOString();
  return new AttestationError(
    'kds-rate-limited',
    `Cannot ask the key distribution service before ${time}: it limits how often it is asked.`,
    {
      expected: `no request before ${time}`,
      remedy: `Try again after ${time}, or hand the certificate over with the report.`,
    },
  );
}
