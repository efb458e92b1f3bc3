/**
 * The host's end of a guest's port to its simulated secure processor.
 *
 * One request at a time, at a measured pace: a guest that asks without end waits in its own kernel, since nothing is read from
 * its port meanwhile.
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

/** Each piece that is read takes a turn, and each line in it; a report takes some milliseconds of this process. */
const TURNS = { burst: 64, perSecond: 32 };
/** Between a connection that ended and the next. */
const PAUSE_MS = 200;

/** Answers a guest until it is closed. */
export class ProcessorPort {
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;

  /** @param path of the socket that the VMM listens on */
  constructor(path: string, guest: AskedGuest) {
    // Rejects with nothing but the end: a guest without its processor gets no answers, and asks again.
    this.#ended = this.#serve(path, guest).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  async #serve(path: string, guest: AskedGuest): Promise<void> {
    const { signal } = this.#closing;
    // Of the guest, not of a connection.
    const pace = new Pace(TURNS);
    for (;;) {
      await converse(await attach(path, signal), guest, pace, signal).catch(() => undefined);
      signal.throwIfAborted();
      await delay(PAUSE_MS, undefined, { signal, ref: false });
    }
  }
}

/** A place where there is no socket but something else may hold one again. */
async function attach(path: string, signal: AbortSignal): Promise<Duplex> {
  return await retry(() => openSocket(path).catch(() => undefined), signal);
}

/** Answers what comes, until the stream ends, breaks, or the signal aborts. */
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
      await pace.turn(signal);
      for (const line of lines.push(chunk)) {
        await pace.turn(signal);
        const answer = answerLine(guest, line);
        if (answer !== undefined) await send(stream, `${JSON.stringify(answer)}\n`, signal);
      }
    }
  } finally {
    signal.removeEventListener('abort', end);
    stream.destroy();
  }
}

/** Waits until it is taken: a guest that does not listen is not answered again. */
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
