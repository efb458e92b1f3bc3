/**
 * Bounds the attempts after cut connections.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises';
import { A3sError } from '../../errors.ts';
import { Unreached } from '../http/unreached.ts';

export interface RetryLimits {
  /** Attempts in a row without progress. One that stalls counts twice. */
  readonly attempts: number;
  /** Milliseconds of the first pause; each further one in a row is twice as long. */
  readonly backoffMs: number;
  /** Milliseconds of waiting in which at least `stallBytes` have to come. */
  readonly stallMs: number;
  readonly stallBytes: number;
}

export const RETRY_LIMITS: RetryLimits = {
  attempts: 6,
  backoffMs: 250,
  stallMs: 45_000,
  stallBytes: 16 * 1024,
};

const MAX_PAUSE_MS = 15_000;
/** Cuts with progress are allowed more often, but not once for each byte. */
const FREE_CUTS = 64;
export const BYTES_PER_CUT = 1024 * 1024;
/** Each has taken `stallMs`, so fewer of them are enough. */
const ATTEMPTS_PER_STALL = 2;

/** Counts the attempts at transferring so many bytes. */
export class Attempts {
  readonly #retryLimits: RetryLimits;
  readonly #signal: AbortSignal | undefined;
  readonly #allowed: number;
  #all = 0;
  #barren = 0;

  constructor(retryLimits: RetryLimits, size: number, signal: AbortSignal | undefined) {
    this.#retryLimits = retryLimits;
    this.#signal = signal;
    this.#allowed = FREE_CUTS + Math.ceil(size / BYTES_PER_CUT);
  }

  /** Waits until the next attempt. @throws `error` itself once there have been enough */
  async next(error: unknown, { progressed }: { readonly progressed: boolean }): Promise<void> {
    this.#all += 1;
    const weight = error instanceof Stall ? ATTEMPTS_PER_STALL : 1;
    this.#barren = progressed ? 0 : this.#barren + weight;
    if (this.#barren >= this.#retryLimits.attempts || this.#all >= this.#allowed) throw error;
    if (this.#barren === 0) return;
    const pause = Math.min(this.#retryLimits.backoffMs * 2 ** (this.#barren - 1), MAX_PAUSE_MS);
    await setTimeout(pause, undefined, this.#signal === undefined ? {} : { signal: this.#signal });
  }
}

/** Whether a request failed in transit, so that the same request can succeed the next time. */
export function isCut(error: unknown): boolean {
  if (error instanceof Cut) return true;
  if (error instanceof Unreached) return error.again !== 'never';
  return error instanceof A3sError && error.code === 'registry-unreachable';
}

/** An answer that ended early. */
export class Cut extends A3sError {
  constructor(what: string, why: string, cause?: unknown) {
    super('registry-failed', `Cannot finish ${what}: ${why}`, {
      remedy: 'Try again when the connection is better; what is there already is kept.',
      cause,
    });
  }
}

/** An answer that this side ended, since too few bytes came in a long time. */
export class Stall extends Cut {}
