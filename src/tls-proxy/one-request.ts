/**
 * One request at a time on each connection of a builder or a box.
 *
 * Node's server reads on while it answers, and has a request begun for each head. A response that
 * waits behind another has no `close` when its connection ends. So a connection that asks again too
 * early is cut, and what a request has begun ends with its connection.
 *
 * @module
 */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export class OneRequest {
  readonly #stalledMs: number;
  readonly #asking = new WeakSet<Duplex>();

  /** @param stalledMs for how long a client may take nothing of a response that waits for it */
  constructor(stalledMs: number) {
    this.#stalledMs = stalledMs;
  }

  /**
   * Begins a request. Without a response it is a `CONNECT`, which has the connection from now on.
   *
   * @returns what aborts with the connection; undefined for one that was cut, as it asks already
   */
  begin(connection: Duplex, response?: ServerResponse): AbortSignal | undefined {
    if (this.#asking.has(connection)) {
      connection.destroy();
      return undefined;
    }
    this.#asking.add(connection);
    const left = new AbortController();
    const leave = (): void => left.abort();
    connection.once('close', leave);
    if (connection.destroyed) leave();
    if (response !== undefined) {
      const unwatch = cutStalled(connection, response, this.#stalledMs);
      connection.once('close', unwatch);
      response.once('close', () => {
        this.#asking.delete(connection);
        connection.off('close', leave).off('close', unwatch);
        unwatch();
        if (connection.destroyed) leave();
      });
    }
    return left.signal;
  }
}

/** Cuts a connection whose client takes nothing of what waits for it. */
function cutStalled(connection: Duplex, response: ServerResponse, ms: number): () => void {
  let waited = 0;
  response.on('drain', () => {
    waited = 0;
  });
  const timer = setInterval(() => {
    const waits = response.writableLength;
    if (waits > 0 && waited > 0 && waits >= waited) connection.destroy();
    waited = waits;
  }, ms);
  return () => clearInterval(timer);
}
