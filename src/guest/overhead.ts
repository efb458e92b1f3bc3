/**
 * Limits how much a guest may send on its control stream that no request asked for.
 *
 * @module
 */

/**
 * The budget of a connection on which nothing was transferred. The agent sends a few hundred bytes.
 */
export const OVERHEAD_BYTES = 4 * 2 ** 20;
/**
 * The allowance for the headers and the reset of one answer. Those of the agent take less than 100
 * bytes.
 */
const ANSWER_BYTES = 1024;
/**
 * The agent gives credit for the host's bytes: 13 bytes for 32 KiB. Other servers send as much for
 * 4 KiB.
 */
const SENT_PER_BYTE = 16;
/**
 * The most streams of a connection. Each answer that the host abandoned may have one window of
 * payload in flight.
 */
const MOST_STREAMS = 256;

/**
 * Limits the bytes that reach no stream as payload: every frame but DATA, the headers of frames,
 * padding, and DATA of streams that have ended. Payload, requests and bytes that the host sends
 * refill the budget, so an honest connection never exhausts it. The refill stops at the initial
 * size, so a hostile guest cannot save a budget up.
 */
export class OverheadBudget {
  readonly #full: number;
  readonly #window: number;
  #left: number;
  #delivered = 0;
  #requests = 0;
  #abandoned = 0;

  /** @param window what one stream may have in flight */
  constructor(window: number, bytes = OVERHEAD_BYTES) {
    this.#window = window;
    this.#full = bytes;
    this.#left = bytes;
  }

  /** Counts payload that arrived for an open stream. */
  delivered(bytes: number): void {
    this.#delivered += bytes;
  }

  requested(): void {
    this.#requests += 1;
  }

  /**
   * Counts a stream that closed before its answer was complete. The payload that its window allowed
   * may still arrive.
   */
  abandoned(): void {
    this.#abandoned += 1;
  }

  /**
   * Subtracts the bytes received since the last call, and adds the refill that they allow.
   *
   * @param received all bytes received, payload included
   * @param sent all bytes sent. Only a fraction counts, so that answers to a flood do not pay for
   * the flood.
   * @returns whether the connection is within its budget
   */
  account(received: number, sent: number): boolean {
    this.#left -= received - this.#delivered;
    const refill = this.#delivered + sent / SENT_PER_BYTE + this.#requests * ANSWER_BYTES;
    // The allowance for abandoned streams may exceed the initial size. A refill does not cut it.
    this.#left = Math.max(this.#left, Math.min(this.#left + refill, this.#full));
    const most = this.#full + MOST_STREAMS * this.#window;
    this.#left = Math.min(this.#left + this.#abandoned * this.#window, most);
    this.#delivered = 0;
    this.#requests = 0;
    this.#abandoned = 0;
    return this.#left >= 0;
  }
}
