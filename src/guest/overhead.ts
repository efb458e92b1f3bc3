/**
 * How much a guest may send on its control stream that no request asked for.
 *
 * @module
 */

/** Of a session on which nothing was transferred. The agent sends a few hundred bytes. */
export const OVERHEAD_BYTES = 4 * 2 ** 20;
/** For the headers and the reset of one answer: those of the agent take less than 100 bytes. */
const ANSWER_BYTES = 1024;
/** The agent gives credit for what the host sends: 13 bytes for 32 KiB, and other servers as much for 4 KiB. */
const SENT_PER_BYTE = 16;
/** Of a session. Each answer that the host has given up can have a window on its way. */
const MOST_STREAMS = 256;

/**
 * A budget for the bytes that reach no stream as payload: every frame but DATA, the headers of frames, padding, and DATA of
 * streams that are gone. Payload, requests and what the host sends refill it, so that an honest session never uses it
 * up, however long it lasts. It holds no more than it began with, so that a guest that is taken over has saved nothing up.
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

  /** Payload came, for a stream that is there. */
  delivered(bytes: number): void {
    this.#delivered += bytes;
  }

  requested(): void {
    this.#requests += 1;
  }

  /** A stream went before its answer was complete. What its window let through is still to come. */
  abandoned(): void {
    this.#abandoned += 1;
  }

  /**
   * Takes off what has come since the last time, and gives back what that was allowed.
   *
   * @param received bytes of whatever kind, payload included
   * @param sent bytes of whatever kind: few enough count for answers to a flood not to feed it
   * @returns whether that was within the budget
   */
  settle(received: number, sent: number): boolean {
    this.#left -= received - this.#delivered;
    const refill = this.#delivered + sent / SENT_PER_BYTE + this.#requests * ANSWER_BYTES;
    // What streams that are gone have on their way may be above the mark, and stays.
    this.#left = Math.max(this.#left, Math.min(this.#left + refill, this.#full));
    const most = this.#full + MOST_STREAMS * this.#window;
    this.#left = Math.min(this.#left + this.#abandoned * this.#window, most);
    this.#delivered = 0;
    this.#requests = 0;
    this.#abandoned = 0;
    return this.#left >= 0;
  }
}
