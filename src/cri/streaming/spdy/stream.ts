/**
 * One stream of a connection of SPDY.
 *
 * @module
 */
import { Inbox } from '../inbox.ts';
import { dataFrame, FIN, RST_STREAM } from './frames.ts';
import type { SpdyHeaders } from './header-block.ts';

/** What either side may send of a stream, or of a connection, before the other one has taken it. */
export const WINDOW_BYTES = 64 * 1024;
const FRAME_BYTES = 16 * 1024;

/** The connection, as its streams use it. */
export interface SpdySender {
  readonly gone: AbortSignal;
  /** Waits until the client has room. */
  control(type: number, numbers: readonly number[]): Promise<void>;
  /**
   * Takes up to so many bytes of the room that the client has for a stream; waits until there is
   * some. 0: it takes no more.
   */
  room(stream: SpdyStream, most: number): Promise<number>;
  send(frame: Buffer): Promise<void>;
  /** The client has sent a part of its window. */
  taken(stream: SpdyStream, bytes: number): void;
  /** Both directions have ended. */
  closed(stream: SpdyStream): void;
}

export class SpdyStream {
  readonly id: number;
  readonly headers: SpdyHeaders;
  /** What the client sends. */
  readonly input: Inbox;
  /** Aborts when the client resets the stream. */
  readonly resetByClient: AbortSignal;
  /** How many bytes were sent. */
  sent = 0;
  readonly #sender: SpdySender;
  readonly #reset = new AbortController();
  #delivered = 0;
  #credited = 0;
  #inputEnded = false;
  #outputEnded = false;

  constructor(id: number, headers: SpdyHeaders, sender: SpdySender) {
    this.id = id;
    this.headers = headers;
    this.#sender = sender;
    this.resetByClient = this.#reset.signal;
    // More than the window: a client that keeps to it holds up none of its other streams.
    this.input = new Inbox(WINDOW_BYTES + 1, () => this.#credit());
  }

  /** Whether nothing more can be sent. */
  get outputEnded(): boolean {
    return this.#outputEnded;
  }

  /** Waits until the client has room. Does nothing once it takes no more. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const room = await this.#sender.room(this, Math.min(FRAME_BYTES, bytes.length - at));
      if (room === 0) return;
      const part = bytes.subarray(at, at + room);
      at += room;
      await this.#sender.send(dataFrame(this.id, part));
    }
  }

  /** Ends what is sent. */
  async end(): Promise<void> {
    if (this.#outputEnded) return;
    this.#endOutput();
    await this.#sender.send(dataFrame(this.id, Buffer.alloc(0), FIN));
  }

  /** Ends both directions at once. */
  async reset(status: number): Promise<void> {
    if (this.#outputEnded && this.#inputEnded) return;
    this.#inputEnded = true;
    this.input.destroy();
    this.#endOutput();
    await this.#sender.control(RST_STREAM, [this.id, status]);
  }

  /** The client has sent this. */
  async deliver(bytes: Buffer): Promise<void> {
    this.#delivered += bytes.length;
    await this.input.deliver(bytes);
  }

  /** The client sends no more. */
  finish(): void {
    this.#inputEnded = true;
    this.input.finish();
    if (this.#outputEnded) this.#sender.closed(this);
  }

  /** The client has reset the stream. What it has sent can still be read. */
  cancel(): void {
    this.#reset.abort();
    this.abandon();
  }

  /** The client takes and sends no more. What it has sent can still be read. */
  abandon(): void {
    this.#endOutput();
    this.finish();
  }

  #endOutput(): void {
    this.#outputEnded = true;
    if (this.#inputEnded) this.#sender.closed(this);
  }

  /** In halves of the window, since a frame for each chunk would double the traffic. */
  #credit(): void {
    const taken = this.#delivered - this.input.readableLength - this.#credited;
    if (taken < WINDOW_BYTES / 2 || this.#inputEnded) return;
    this.#credited += taken;
    this.#sender.taken(this, taken);
  }
}
