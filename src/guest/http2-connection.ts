/**
 * One HTTP/2 connection to an agent: bounded settings, and requests whose answers are checked.
 *
 * @module
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type * as z from 'zod';
import type { ControlStream } from '../engine/vm/vm.ts';
import { A3sError } from '../errors.ts';
import { narrow } from '../narrow.ts';
import { atIntervals } from './at-intervals.ts';
import { answerStatus, parseJson, readAnswer } from './body.ts';
import { OverheadBudget } from './overhead.ts';
import { PROTOCOL_HEADER, SEQUENCE_HEADER } from './protocol.ts';
import { agentFailed, refusal } from './refusal.ts';

/** The window of one stream. A stalled consumer buffers no more than this. */
const STREAM_WINDOW = 512 * 1024;
/** Node returns connection credit as bytes arrive, so a stalled stream does not use it up. */
const CONNECTION_WINDOW = 4 * 1024 * 1024;
const MAX_FRAME = 128 * 1024;
/** In MiB; above the windows of all 256 streams. */
const CONNECTION_MEMORY = 160;

const ANSWER_BYTES = 64 * 1024;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Rejects with `agent-timeout` after this time; absent: waits as long as it takes. */
  readonly deadlineMs?: number | undefined;
  /** Largest answer. */
  readonly answerBytes?: number;
}

export class GuestConnection {
  readonly #http2: ClientHttp2Session;
  readonly #socket: ControlStream;
  readonly #overhead: OverheadBudget;
  /** How many of the socket's bytes the budget has counted. */
  readonly #counted = { read: 0, written: 0 };
  /** Resolves when the connection is gone, never rejects. */
  readonly closed: Promise<void>;
  /** The negotiated version; `hello` is sent without one. */
  version: number | undefined;
  /** Resolves when the current body is sent, or its stream has ended. */
  #sending: Promise<void> | undefined;
  /** The number of requests so far. */
  #requests = 0;

  /** @param overhead what the guest may send besides answers */
  constructor(socket: ControlStream, overhead = new OverheadBudget(STREAM_WINDOW)) {
    this.#socket = socket;
    this.#overhead = overhead;
    this.#http2 = connect('http://guest', {
      createConnection: () => socket,
      maxSessionMemory: CONNECTION_MEMORY,
      maxReservedRemoteStreams: 0,
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW,
        maxFrameSize: MAX_FRAME,
        maxHeaderListSize: 16 * 1024,
      },
    });
    this.#http2.once('connect', () => {
      // A peer that sends garbage at once ends the connection before this event.
      if (!this.#http2.destroyed) this.#http2.setLocalWindowSize(CONNECTION_WINDOW);
    });
    // Every stream gets the error too, and `closed` reports the rest.
    this.#http2.on('error', () => this.destroy());
    this.#http2.on('goaway', () => this.destroy());
    socket.on('close', () => this.#http2.destroy());
    // Node reports the number of bytes, but not most frames.
    const stop = atIntervals(() => this.#checkOverhead());
    this.closed = new Promise((resolve) => {
      this.#http2.once('close', () => {
        stop();
        resolve();
      });
    });
  }

  #checkOverhead(): void {
    const { bytesRead, bytesWritten } = this.#socket;
    const { read, written } = this.#counted;
    Object.assign(this.#counted, { read: bytesRead, written: bytesWritten });
    if (this.#overhead.account(bytesRead - read, bytesWritten - written)) return;
    this.#break('it sent too much that belongs to no answer');
  }

  /** Ends the connection for the guest's fault. Calls that are under way reject with it. */
  #break(what: string): void {
    this.#http2.destroy(agentFailed(what));
    this.#socket.destroy();
  }

  destroy(): void {
    this.#http2.destroy();
    this.#socket.destroy();
  }

  /**
   * Opens a stream once the earlier requests are sent completely. An agent of protocol 2 starts
   * requests in the order in which they are complete, and HTTP/2 may send the headers of a later
   * one before the body of an earlier one.
   */
  async openInOrder(
    method: string,
    path: string,
    options: { endStream?: boolean; signal?: AbortSignal | undefined; body?: unknown } = {},
  ): Promise<ClientHttp2Stream> {
    const { signal, endStream = false, body } = options;
    // No await between the last check and the request: of two callers that wait, one would overtake
    // the other's body.
    while (this.#sending !== undefined) await this.#sending;
    signal?.throwIfAborted();
    const stream = this.open(method, path, { endStream });
    if (body !== undefined) this.#send(stream, body);
    return stream;
  }

  #send(stream: ClientHttp2Stream, body: unknown): void {
    const sending = new Promise<void>((resolve) => {
      stream.once('close', resolve);
      // The bytes are sent unchanged: their digest counts.
      stream.end(body instanceof Uint8Array ? body : JSON.stringify(body), resolve);
    });
    this.#sending = sending;
    void sending.then(() => {
      if (this.#sending === sending) this.#sending = undefined;
    });
  }

  /** Opens a stream whose request body the caller writes, unless `endStream`. */
  open(
    method: string,
    path: string,
    options: { endStream?: boolean; signal?: AbortSignal } = {},
  ): ClientHttp2Stream {
    this.#requests += 1;
    const headers: Record<string, string> = {
      ':method': method,
      ':path': path,
      [SEQUENCE_HEADER]: String(this.#requests),
    };
    if (this.version !== undefined) headers[PROTOCOL_HEADER] = String(this.version);
    let stream: ClientHttp2Stream;
    try {
      stream = this.#http2.request(headers, options);
    } catch (error) {
      throw agentFailed('the connection is closed', error);
    }
    this.#watch(stream);
    return stream;
  }

  #watch(stream: ClientHttp2Stream): void {
    const overhead = this.#overhead;
    overhead.requested();
    // All data of a stream passes here, whichever code reads it later. A stream that is gone gets
    // nothing.
    const push = stream.push.bind(stream);
    stream.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk !== null) overhead.delivered(chunk.length);
      return push(chunk, encoding);
    };
    // Each of these costs far more than its bytes, and the agent sends none.
    stream.once('headers', () => this.#break('it sent an interim answer'));
    stream.once('close', () => {
      if (!stream.readableEnded) overhead.abandoned();
    });
  }

  /** One request with a JSON answer, read by `schema`. */
  async call<T>(
    method: string,
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    options: CallOptions = {},
  ): Promise<T> {
    const route = `${method} ${path}`;
    const { status, bytes } = await this.#exchange(method, path, body, options);
    const document = parseJson(bytes);
    if (status < 200 || status > 299) throw refusal(route, status, document);
    const result = narrow(schema, document);
    if (!result.success) throw agentFailed(`its answer to ${route} is malformed`, result.error);
    return result.data;
  }

  async #exchange(
    method: string,
    path: string,
    body: unknown,
    options: CallOptions,
  ): Promise<{ status: number; bytes: Buffer }> {
    const { signal } = options;
    const stream = await this.openInOrder(method, path, {
      ...{ signal, body, endStream: body === undefined },
    });
    const limits = new StreamLimits(stream, `${method} ${path}`, options);
    try {
      const status = await answerStatus(stream);
      const bytes = await readAnswer(stream, options.answerBytes ?? ANSWER_BYTES);
      return { status, bytes };
    } catch (error) {
      throw limits.reason ?? error;
    } finally {
      limits.dispose();
      discard(stream);
    }
  }
}

/** What sends requests to the agent: a connection, or a part of it. */
export type RequestConnection = Pick<GuestConnection, 'version' | 'open' | 'openInOrder' | 'call'>;

/** Ends a stream in both directions, in any state. */
export function discard(stream: ClientHttp2Stream): void {
  stream.close(constants.NGHTTP2_CANCEL);
  stream.destroy();
}

/** Ends a stream when its caller aborts or its deadline passes, and remembers the reason. */
class StreamLimits {
  reason: unknown;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;

  constructor(stream: ClientHttp2Stream, route: string, options: CallOptions) {
    const end = (reason: unknown): void => {
      this.reason ??= reason;
      discard(stream);
    };
    this.#signal = options.signal;
    this.#onAbort = () => end(options.signal?.reason);
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    const { deadlineMs } = options;
    if (deadlineMs === undefined) return;
    this.#timer = setTimeout(() => {
      const message = `The guest agent did not answer ${route} within ${deadlineMs / 1000} s`;
      end(new A3sError('agent-timeout', message));
    }, deadlineMs);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
