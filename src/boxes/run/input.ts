/**
 * The input of a process, shared by all clients that are attached to it.
 *
 * @module
 */
import { finished } from 'node:stream/promises';
import type { GuestBox } from '../../guest/guest-box.ts';
import { MAIN } from '../../guest/protocol.ts';
import type { StdinWriter } from '../../guest/stdin.ts';

export class BoxInput {
  readonly #guest: () => Promise<Pick<GuestBox, 'stdin'>>;
  readonly #process: string;
  #writer: StdinWriter | undefined;
  #ended = false;

  constructor(guest: () => Promise<Pick<GuestBox, 'stdin'>>, process = MAIN) {
    this.#guest = guest;
    this.#process = process;
  }

  /** Waits until the process has room. Bytes are dropped after the end, and when the process does
   * not read them. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#ended) return;
    const writer = await this.#open();
    await new Promise<void>((resolve) => {
      // The connection was lost, or the process is gone: the next write opens anew, or drops its
      // bytes.
      writer.write(bytes, () => resolve());
    });
  }

  /** Closes the input for good. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const writer = await this.#open();
    writer.end();
    await finished(writer).catch(() => undefined);
  }

  async #open(): Promise<StdinWriter> {
    if (this.#writer !== undefined) return this.#writer;
    const guest = await this.#guest();
    if (this.#writer !== undefined) return this.#writer;
    const writer = guest.stdin(this.#process);
    this.#writer = writer;
    const forget = (): void => {
      if (this.#writer === writer) this.#writer = undefined;
    };
    writer.once('error', forget);
    writer.once('close', forget);
    return writer;
  }
}
