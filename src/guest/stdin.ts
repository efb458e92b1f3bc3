/**
 * Writes a process's input.
 *
 * @module
 */
import type { ClientHttp2Stream } from 'node:http2';
import { Writable } from 'node:stream';
import { narrow } from '../narrow.ts';
import { answerStatus, parseJson, readAnswer } from './body.ts';
import type { RequestConnection } from './http2-connection.ts';
import { StdinEnd } from './protocol.ts';
import { agentFailed, refusal } from './refusal.ts';

const BUFFER_BYTES = 256 * 1024;
const ANSWER_BYTES = 64 * 1024;

/**
 * The input of a process, binary-safe, with the process's own back pressure.
 *
 * `end()` closes the input; `finish` comes when the agent has confirmed that. `destroy()` closes
 * the stream and leaves the input open for another writer. Once the process no longer reads, bytes
 * are dropped without an error, and `closed` reports it.
 */
export class StdinWriter extends Writable {
  /**
   * True as soon as the process no longer reads; false when the stream was ended, destroyed or
   * lost.
   */
  readonly processClosed: Promise<boolean>;
  readonly #stream: ClientHttp2Stream;
  readonly #release = new AbortController();
  #written: (() => void) | undefined;
  /** The agent answers before this side's end only when the process no longer reads. */
  #answered = false;

  constructor(connection: RequestConnection, path: string) {
    super({ highWaterMark: BUFFER_BYTES, decodeStrings: true });
    this.#stream = connection.open('PUT', path, { signal: this.#release.signal });
    const answer = this.#answer(`PUT ${path}`);
    this.processClosed = answer.then(
      ({ closed }) => closed,
      () => false,
    );
    void this.processClosed.then(() => {
      // Without this, a write that the agent did not wait for would never be answered.
      this.#release.abort();
      this.#settleWrite();
    });
    answer.catch((error: Error) => this.destroy(error));
    // A caller that watches the stream's end gets its error. Callers may ignore it.
    this.on('error', () => undefined);
  }

  async #answer(route: string): Promise<StdinEnd> {
    const status = await answerStatus(this.#stream);
    if (status === 200) this.#answered = true;
    const document = parseJson(await readAnswer(this.#stream, ANSWER_BYTES));
    if (status !== 200) throw refusal(route, status, document);
    const result = narrow(StdinEnd, document);
    if (!result.success) throw agentFailed(`its answer to ${route} is malformed`, result.error);
    return result.data;
  }

  override _write(chunk: Buffer, _: string, callback: (error?: Error | null) => void): void {
    if (this.#answered || !this.#stream.writable) {
      callback();
      return;
    }
    this.#written = callback;
    // An error of the stream is reported through the answer.
    this.#stream.write(chunk, () => this.#settleWrite());
  }

  #settleWrite(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#stream.end();
    this.processClosed.then(() => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // Not `close()`: it sends the end of the body before its reset, and that closes the input.
    this.#release.abort();
    callback(error);
  }
}
