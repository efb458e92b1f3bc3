/**
 * What a client sends over one of its streams, until a reader takes it.
 *
 * @module
 */
import { Readable } from 'node:stream';

export class Inbox extends Readable {
  readonly #taken: () => void;
  #room: (() => void) | undefined;
  #finished = false;

  /**
   * @param bytes that may wait
   * @param taken called after the reader took some
   */
  constructor(bytes: number, taken: () => void = () => undefined) {
    super({ highWaterMark: bytes, autoDestroy: true });
    this.#taken = taken;
    // An early end is not the process's error.
    this.on('error', () => undefined);
  }

  /** Settles when there is room for more. What comes after the end is dropped. */
  async deliver(bytes: Uint8Array): Promise<void> {
    if (this.destroyed || this.#finished || bytes.length === 0) return;
    if (this.push(bytes)) return;
    await new Promise<void>((resolve) => {
      this.#room = resolve;
    });
  }

  /** The reader still gets what was delivered, and nobody waits for room any more. */
  finish(): void {
    if (this.destroyed || this.#finished) return;
    this.#finished = true;
    this.push(null);
    this.#proceed();
  }

  override _read(): void {
    this.#proceed();
    this.#taken();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#proceed();
    callback(error);
  }

  #proceed(): void {
    const room = this.#room;
    this.#room = undefined;
    room?.();
  }
}
