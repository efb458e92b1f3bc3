/**
 * Requests to a service that limits its callers, fails at times, and may be slow.
 *
 * @module
 */
import { AttestationError } from '../../errors.ts';
import type { Clock } from './clock.ts';
import { type Fetch, type FetchResponse, tooLong } from './fetch.ts';
import { Flights } from './flights.ts';
import { Pace } from './pace.ts';
import { retryAfter } from './retry-after.ts';

/** How long and how often a client asks. All times are in milliseconds. */
export interface KdsLimits {
  /** Between two requests for VCEKs; one without an answer is repeated after `backoff`. */
  readonly vcekSpacing: number;
  /** The timeout of a call; no attempt begins after it. */
  readonly timeout: number;
  /** For one attempt, the last one too. */
  readonly attemptTimeout: number;
  /** Attempts that end without an answer, or with a status of 500 or more. */
  readonly attempts: number;
  /** Before the second attempt; twice that before the third, and so on. Also the least pause. */
  readonly backoff: number;
  /** The pause after a 429 without Retry-After. */
  readonly pause: number;
  /** The longest pause that a 429 can ask for. */
  readonly longestPause: number;
}

/**
 * AMD answers about one VCEK in ten seconds and address (observed in November 2025; AMD publishes
 * no number).
 */
export const KDS_LIMITS: KdsLimits = {
  vcekSpacing: 10_000,
  timeout: 60_000,
  attemptTimeout: 15_000,
  attempts: 3,
  backoff: 1_000,
  pause: 10_000,
  longestPause: 3_600_000,
};

/** A request. */
export interface Request {
  readonly url: string;
  readonly maxBytes: number;
  /** Whether it counts as a VCEK. */
  readonly paced: boolean;
  /** The meaning of a 404. */
  readonly notFound: { readonly message: string; readonly found: string; readonly remedy: string };
}

/** The outcome of one attempt; `answered` says that an answer came, with a failure status. */
type Attempt = FetchResponse | { readonly failure: unknown; readonly answered: boolean };

export class KdsTransport {
  readonly #fetch: Fetch;
  readonly #clock: Clock;
  readonly #limits: KdsLimits;
  readonly #vceks: Pace;
  readonly #others: Pace;
  readonly #flights = new Flights<Uint8Array>();

  constructor(fetch: Fetch, clock: Clock, limits: KdsLimits) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#limits = limits;
    this.#vceks = new Pace(clock, limits.vcekSpacing);
    this.#others = new Pace(clock, 0);
  }

  /**
   * The body of a 200.
   *
   * Equal requests at one time are one request, with the timeout of the first.
   *
   * @throws AttestationError `kds-rate-limited`, `kds-not-found`, `kds-response` for any other
   * answer, `kds-unreachable` where there was none in time.
   * @throws the signal's reason once it aborts.
   */
  async get(request: Request, signal: AbortSignal): Promise<Uint8Array> {
    const body = await this.#flights.join(request.url, signal, (all) =>
      this.#persist(request, all),
    );
    return Uint8Array.from(body);
  }

  async #persist(request: Request, signal: AbortSignal): Promise<Uint8Array> {
    const { attempts, backoff, timeout } = this.#limits;
    const deadline = this.#clock.now() + timeout;
    const own = request.paced ? this.#vceks : this.#others;
    let pace = own;
    for (let failures = 0; ; ) {
      await pace.acquire(deadline, signal);
      const attempt = await this.#attempt(request, signal);
      if (!('failure' in attempt)) {
        const body = this.#answer(request, attempt);
        if (body !== undefined) return body;
        pace = own;
        continue;
      }
      failures += 1;
      const pause = backoff * 2 ** (failures - 1);
      // The service probably does not count unanswered requests; if it does, a 429 says so.
      pace = attempt.answered ? own : this.#others;
      const next = Math.max(this.#clock.now() + pause, pace.free);
      if (failures >= attempts || next > deadline) {
        throw unreachable(request, attempt.failure);
      }
      await this.#clock.sleep(pause, signal);
    }
  }

  /** The body of an answer; undefined if it says to come back later. */
  #answer({ maxBytes, notFound }: Request, response: FetchResponse): Uint8Array | undefined {
    const { status, body } = response;
    if (status === 200 && body.length <= maxBytes) return body;
    if (status === 200) throw tooLong(maxBytes);
    if (status === 404) {
      const { message, found, remedy } = notFound;
      throw new AttestationError('kds-not-found', message, { found, remedy });
    }
    if (status === 429) {
      this.#hold(response);
      return undefined;
    }
    throw new AttestationError(
      'kds-response',
      'Cannot use the answer of the key distribution service: its status is not 200.',
      { expected: 'status 200, without redirects', found: `status ${status}` },
    );
  }

  /** All requests pause: the service counts by address, not by request. */
  #hold({ headers }: FetchResponse): void {
    const { backoff, pause, longestPause } = this.#limits;
    const now = this.#clock.now();
    const asked = retryAfter(headers.get('retry-after'), now) ?? pause;
    const until = now + Math.min(Math.max(asked, backoff), longestPause);
    this.#vceks.hold(until);
    this.#others.hold(until);
  }

  async #attempt({ url, maxBytes }: Request, outer: AbortSignal): Promise<Attempt> {
    const { attemptTimeout } = this.#limits;
    const over = new AbortController();
    const signal = AbortSignal.any([outer, over.signal]);
    const late = this.#clock.sleep(attemptTimeout, signal).then(() => {
      throw new DOMException(`There was no answer within ${attemptTimeout} ms.`, 'TimeoutError');
    });
    const ask = async () => this.#fetch(url, { signal, maxBytes });
    try {
      const response = await Promise.race([ask(), late]);
      return response.status < 500 ? response : failed(response);
    } catch (failure) {
      outer.throwIfAborted();
      if (failure instanceof AttestationError) throw failure;
      return { failure, answered: false };
    } finally {
      over.abort();
    }
  }
}

function failed({ status }: FetchResponse): Attempt {
  return { failure: `status ${status}`, answered: true };
}

function unreachable({ url }: Request, failure: unknown): AttestationError {
  return new AttestationError(
    'kds-unreachable',
    `Cannot reach the key distribution service at ${new URL(url).origin}.`,
    {
      found: failure instanceof Error ? causes(failure) : String(failure),
      remedy: 'Check the network, or use a store of endorsements that was filled elsewhere.',
      cause: failure,
    },
  );
}

/** `fetch` only says that it failed; its cause says why. */
function causes(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
