/**
 * Reads a process's output.
 *
 * @module
 */
import type { ClientHttp2Stream } from 'node:http2';
import { answerStatus, bytesOf, parseJson, readAnswer } from './body.ts';
import { FrameParser, type OutputChunk } from './frame.ts';
import { discard, type RequestConnection } from './http2-connection.ts';
import { refusal } from './refusal.ts';

/**
 * The output from an offset to its end, to be iterated once. The iteration ends after the last
 * byte. It throws `agent-failed` when the connection or the agent breaks, so an iteration that ends
 * has seen everything. Leaving the loop early closes the output stream.
 *
 * At most one flow control window is buffered for a slow consumer.
 */
export class OutputReader implements AsyncIterable<OutputChunk> {
  readonly #stream: ClientHttp2Stream;
  readonly #parser: FrameParser;
  readonly #signal: AbortSignal | undefined;
  #delivered: number;
  #acknowledged: number;
  #sent: number;
  #sending = false;

  constructor(stream: ClientHttp2Stream, offset: number, signal: AbortSignal | undefined) {
    this.#stream = stream;
    this.#parser = new FrameParser(offset);
    this.#signal = signal;
    this.#delivered = offset;
    this.#acknowledged = offset;
    this.#sent = offset;
  }

  /**
   * Tells the agent that everything below `offset` is stored and may be forgotten. Returns at once;
   * of many calls in a row, the last one counts. After the end it does nothing: a process that has
   * exited needs no room. Throws `RangeError` for an offset that was not read yet, or that is below
   * an earlier one.
   */
  ack(offset: number): void {
    if (!Number.isSafeInteger(offset) || offset < this.#acknowledged || offset > this.#delivered) {
      throw new RangeError(
        `Cannot acknowledge offset ${offset}: expected ${this.#acknowledged} to ${this.#delivered}`,
      );
    }
    this.#acknowledged = offset;
    this.#send();
  }

  /** Closes the output stream. The process and its output stay as they are. */
  close(): void {
    discard(this.#stream);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputChunk, void, void> {
    const onAbort = (): void => this.close();
    this.#signal?.addEventListener('abort', onAbort, { once: true });
    try {
      this.#signal?.throwIfAborted();
      for await (const bytes of bytesOf(this.#stream)) {
        for (const chunk of this.#parser.push(bytes)) {
          this.#delivered = chunk.offset + chunk.data.length;
          yield chunk;
        }
      }
      this.#signal?.throwIfAborted();
      this.#parser.finish();
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw error;
    } finally {
      this.#signal?.removeEventListener('abort', onAbort);
      this.close();
    }
  }

  #send(): void {
    if (this.#sending || this.#sent === this.#acknowledged || !this.#stream.writable) return;
    this.#sending = true;
    this.#sent = this.#acknowledged;
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(this.#sent));
    this.#stream.write(bytes, (error) => {
      this.#sending = false;
      if (error === undefined || error === null) this.#send();
    });
  }
}

/** The output of the process with this route. */
export async function openOutput(
  connection: RequestConnection,
  process: string,
  offset: number,
  signal?: AbortSignal,
): Promise<OutputReader> {
  const route = `${process}/output?offset=${offset}`;
  const stream = await connection.openInOrder('POST', route, { signal });
  const reader = new OutputReader(stream, offset, signal);
  const onAbort = (): void => reader.close();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const status = await answerStatus(stream);
    if (status === 200) return reader;
    throw refusal(`POST ${route}`, status, parseJson(await readAnswer(stream, 64 * 1024)));
  } catch (error) {
    reader.close();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
