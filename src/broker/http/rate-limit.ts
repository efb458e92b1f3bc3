/**
 * Limits how often each client may ask, and all together: a token bucket each, in bounded memory.
 *
 * @module
 */
export interface RateLimits {
  readonly perSecond: number;
  /** How many a client may ask at once. */
  readonly burst: number;
  readonly allPerSecond: number;
}

export const RATE_LIMITS: RateLimits = { perSecond: 20, burst: 60, allPerSecond: 1000 };

const MAX_CLIENTS = 16_384;

interface Bucket {
  tokens: number;
  at: number;
}

export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #now: () => number;
  /** Least recently used first. */
  readonly #clients = new Map<string, Bucket>();
  readonly #all: Bucket;

  constructor(limits: RateLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.#all = { tokens: limits.allPerSecond, at: now() };
  }

  /** How many clients are remembered. */
  get size(): number {
    return this.#clients.size;
  }

  /** Whether one more request of the client is served. Refused ones count for nobody else. */
  take(client: string): boolean {
    const { perSecond, burst, allPerSecond } = this.#limits;
    const now = this.#now();
    const bucket = this.#clients.get(client) ?? { tokens: burst, at: now };
    this.#clients.delete(client);
    this.#clients.set(client, bucket);
    if (this.#clients.size > MAX_CLIENTS) this.#forgetOldest();
    refill(bucket, perSecond, burst, now);
    refill(this.#all, allPerSecond, allPerSecond, now);
    if (bucket.tokens < 1 || this.#all.tokens < 1) return false;
    bucket.tokens -= 1;
    this.#all.tokens -= 1;
    return true;
  }

  #forgetOldest(): void {
    const [oldest] = this.#clients.keys();
    if (oldest !== undefined) this.#clients.delete(oldest);
  }
}

function refill(bucket: Bucket, perSecond: number, most: number, now: number): void {
  const passed = Math.max(0, now - bucket.at);
  bucket.tokens = Math.min(most, bucket.tokens + (passed * perSecond) / 1000);
  bucket.at = now;
}
