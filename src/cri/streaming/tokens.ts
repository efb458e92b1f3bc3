/**
 * What clients may connect to: each token is good for one connection, soon.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { A3sError } from '../../errors.ts';

const TOKEN_BYTES = 32;
const LIFETIME_MS = 60_000;
const MAX_TOKENS = 1000;

export class Tokens<T> {
  readonly #waiting = new Map<string, { readonly value: T; readonly until: number }>();
  readonly #now: () => number;

  /** @param now milliseconds of a clock that nobody sets */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @throws A3sError `streams-busy` where too many were not used yet */
  issue(value: T): string {
    const now = this.#now();
    // The oldest come first.
    for (const [token, { until }] of this.#waiting) {
      if (until > now) break;
      this.#waiting.delete(token);
    }
    if (this.#waiting.size >= MAX_TOKENS) {
      throw new A3sError(
        'streams-busy',
        `Cannot prepare a stream: ${MAX_TOKENS} streams wait for their clients`,
      );
    }
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    this.#waiting.set(token, { value, until: now + LIFETIME_MS });
    return token;
  }

  /** Undefined for one that was used, that expired, or that nobody was given. */
  use(token: string): T | undefined {
    const found = this.#waiting.get(token);
    this.#waiting.delete(token);
    return found !== undefined && found.until > this.#now() ? found.value : undefined;
  }
}
