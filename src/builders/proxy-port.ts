/**
 * The connections that programs of a builder make to one of their proxies.
 *
 * The requests for them stay with the agent as long as the builder runs, with or without a server
 * of the proxy: a connection that the agent gives to a request while that is withdrawn would be
 * lost.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { bytesOnly } from './bytes-only.ts';

const RETRY_MS = 200;
const WORDS = 'no build runs in this builder\n';
const UNSERVED = [
  'HTTP/1.1 503 Service Unavailable',
  'connection: close',
  'content-type: text/plain',
  `content-length: ${WORDS.length}`,
  '',
  WORDS,
].join('\r\n');
/** For a program to read that, and to close its side. */
const UNSERVED_MS = 5000;

type Serve = (connection: Duplex) => void;

export interface ProxyPortOptions {
  /** How many connections are served at once. More of them wait in the guest. */
  readonly places: number;
  /** The next connection. */
  accept(): Promise<Duplex>;
  /** Aborts when the builder's box is gone. */
  readonly signal: AbortSignal;
  failed(error: unknown): void;
}

export class ProxyPort {
  readonly #options: ProxyPortOptions;
  readonly #serving: Serve[] = [];
  #asks = false;

  constructor(options: ProxyPortOptions) {
    this.#options = options;
  }

  /**
   * Hands connections to the function that came last, until the one that is returned is called.
   * Those that it has then are its own.
   */
  serve(serve: Serve): () => void {
    // Two of the same function are two.
    const own: Serve = (connection) => serve(connection);
    this.#serving.push(own);
    if (!this.#asks) {
      this.#asks = true;
      for (let place = 0; place < this.#options.places; place += 1) void this.#fill();
    }
    return () => {
      const index = this.#serving.indexOf(own);
      if (index !== -1) this.#serving.splice(index, 1);
    };
  }

  /** One connection after the other. Never rejects. */
  async #fill(): Promise<void> {
    const { accept, signal, failed } = this.#options;
    while (!signal.aborted) {
      try {
        const connection = await accept();
        // A program may have reset it, and then it is closed already.
        if (connection.closed) continue;
        const closed = new Promise((resolve) => connection.once('close', resolve));
        (this.#serving.at(-1) ?? refuse)(bytesOnly(connection));
        await closed;
      } catch (error) {
        if (signal.aborted) return;
        failed(error);
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

function refuse(connection: Duplex): void {
  const timer = setTimeout(() => connection.destroy(), UNSERVED_MS);
  connection.once('close', () => clearTimeout(timer));
  connection.on('error', () => undefined).resume();
  connection.end(UNSERVED);
}
