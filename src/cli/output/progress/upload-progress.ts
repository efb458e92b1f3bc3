/**
 * How much of a file has been sent, among the messages that the server answers it with.
 *
 * @module
 */
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ProgressLine } from '../../../docker-api/images/progress.ts';
import type { Received } from '../../client/json.ts';

export class Upload {
  readonly body: Readable;
  readonly #source: Readable;
  readonly #name: string;
  readonly #total: number;
  readonly #messages = new PassThrough({ objectMode: true });
  #sent = 0;

  /**
   * @param source what is sent
   * @param name what people call it
   * @param total its bytes; 0 where nobody knows
   */
  constructor(source: Readable, name: string, total: number) {
    this.#source = source;
    this.#name = name;
    this.#total = total;
    this.body = Readable.from(this.#counted(), { objectMode: false });
  }

  /**
   * The server's messages, and between them how far the upload is.
   *
   * @throws what the server's messages throw
   */
  async *messages(
    answers: AsyncIterable<Received<ProgressLine>>,
  ): AsyncGenerator<Received<ProgressLine>> {
    const piped = pipeline(answers, this.#messages);
    // Read below: what goes wrong destroys the stream that is read.
    piped.catch(() => undefined);
    yield* this.#messages;
    await piped;
  }

  async *#counted(): AsyncGenerator<Buffer> {
    this.#tell('Loading', this.#total);
    for await (const chunk of this.#source as AsyncIterable<Buffer>) {
      yield chunk;
      // It was taken: the reader asks for the next one.
      this.#sent += chunk.length;
      this.#tell('Loading', this.#total);
    }
    this.#tell('Read', 0);
  }

  /** Progress that the reader is too slow for is dropped, except its end. */
  #tell(status: 'Loading' | 'Read', total: number): void {
    const messages = this.#messages;
    if (!messages.writable || (status !== 'Read' && messages.writableNeedDrain)) return;
    messages.write({
      id: this.#name,
      status,
      progressDetail: { current: this.#sent, total },
    });
  }
}
