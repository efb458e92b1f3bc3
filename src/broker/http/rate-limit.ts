/**
 * Limits how often each client may ask, and all together: a token bucket each, in bounded memory.
 *
 * @module
 */
import { isIPv6 } from 'node:net';

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

/** One client: an address of IPv4, or the 64 bits of IPv6 that one host can choose within. */
export function clientOf(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [plain = ''] = address.split('%');
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
