/**
 * The host's end of a guest's port to its simulated secure processor.
 *
 * One request is answered at a time, at a limited rate. A guest that sends requests without end
 * waits in its own kernel, since the server does not read its port meanwhile.
 *
 * @module
 */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { retry } from '../../async/retry.ts';
import { openSocket } from '../socket.ts';
import { type AskedGuest, answerLine } from './answer.ts';
import { LineReader } from './lines.ts';
import { Pace } from './pace.ts';
import { MAX_LINE } from './protocol.ts';

/**
 * Each chunk that is read takes a token, and so does each line in it. A report takes some
 * milliseconds of this process.
 */
const CHUNK_RATE = { burst: 64, perSecond: 32 };
/** The pause between a connection that ended and the next. */
const PAUSE_MS = 200;

/** Answers a guest until it is closed. */
export class ProcessorPort {
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;

  /** @param path of the socket that the VMM listens on */
  constructor(path: string, guest: AskedGuest) {
    // Rejects only when the port is closed. Without its processor a guest gets no answers, and asks
    // again.
    this.#ended = this.#serve(path, guest).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  async #serve(path: string, guest: AskedGuest): Promise<void> {
    const { signal } = this.#closing;
    // The limit is the guest's, not a connection's.
    const pace = new Pace(CHUNK_RATE);
    for (;;) {
      await converse(await attach(path, signal), guest, pace, signal).catch(() => undefined);
      signal.throwIfAborted();
      await delay(PAUSE_MS, undefined, { signal, ref: false });
    }
  }
}

/** A path that holds something other than a socket may hold a socket again later. */
async function attach(path: string, signal: AbortSignal): Promise<Duplex> {
  return await retry(() => openSocket(path).catch(() => undefined), signal);
}

/** Answers requests until the stream ends, breaks, or the signal aborts. */
export async function converse(
  stream: Duplex,
  guest: AskedGuest,
  pace: Pace,
  signal: AbortSignal,
): Promise<void> {
  const lines = new LineReader(MAX_LINE);
  const end = (): void => {
    stream.destroy();
  };
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    for await (const chunk of stream) {
      await pace.take(signal);
      for (const line of lines.push(chunk)) {
        await pace.take(signal);
        const answer = answerLine(guest, line);
        if (answer !== undefined) await send(stream, `${JSON.stringify(answer)}\n`, signal);
      }
    }
  } finally {
    signal.removeEventListener('abort', end);
    stream.destroy();
  }
}

/** Waits until the guest takes the answer: a guest that does not read gets no further answers. */
async function send(stream: Duplex, text: string, signal: AbortSignal): Promise<void> {
  if (stream.write(text)) return;
  const closed = new AbortController();
  const close = (): void => closed.abort();
  stream.once('close', close);
  try {
    await once(stream, 'drain', { signal: AbortSignal.any([signal, closed.signal]) });
  } finally {
    stream.off('close', close);
  }
}
