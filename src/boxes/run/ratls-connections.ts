/**
 * Limits the connections through this server to the RA-TLS server of one box.
 *
 * @module
 */
import { randomInt } from 'node:crypto';

/** These connections share the connection to the agent with everything else that the box needs. */
export const MAX_RATLS_CONNECTIONS = 64;
/**
 * How long a connection is protected from being closed for another one. It is longer than the agent
 * protects one that has its evidence.
 */
const PROTECTED_MS = 5000;

interface Connection {
  readonly since: number;
  readonly close: () => void;
}

interface RatlsConnectionsOptions {
  readonly limit?: number;
  /** A clock, in milliseconds. */
  readonly now?: () => number;
  /** Chooses one of `count`. */
  readonly pick?: (count: number) => number;
}

/**
 * When all places are taken, a new connection takes the place of one that was open for at least
 * `PROTECTED_MS`, chosen at random. So a client that holds all places keeps others out for no
 * longer than that.
 */
export class RatlsConnections {
  readonly #open = new Set<Connection>();
  readonly #limit: number;
  readonly #now: () => number;
  readonly #pick: (count: number) => number;

  constructor(options: RatlsConnectionsOptions = {}) {
    this.#limit = options.limit ?? MAX_RATLS_CONNECTIONS;
    this.#now = options.now ?? (() => performance.now());
    this.#pick = options.pick ?? ((count) => randomInt(count));
  }

  get count(): number {
    return this.#open.size;
  }

  /**
   * @param close ends the connection; called when another one takes its place
   * @returns a function that gives the place back once the connection has ended; undefined where
   * there is no place
   */
  admit(close: () => void): (() => void) | undefined {
    const now = this.#now();
    if (this.#open.size >= this.#limit) {
      const candidates = [...this.#open].filter(({ since }) => now - since >= PROTECTED_MS);
      if (candidates.length === 0) return undefined;
      const evicted = candidates[this.#pick(candidates.length)];
      if (evicted === undefined) return undefined;
      this.#open.delete(evicted);
      evicted.close();
    }
    const connection = { since: now, close };
    this.#open.add(connection);
    return () => void this.#open.delete(connection);
  }
}
