/**
 * One request and its answer, over HTTP/2 in a session: bounded in size and time.
 *
 * @module
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { RatlsError } from '../errors.ts';
import { deadline, interruption } from './interruption.ts';

/** The name is never resolved: the connection exists already. */
const AUTHORITY = 'https://a3s-box';
const MAX_HEADERS = 64;
/** Megabytes that a session may hold of a peer's frames. */
const MAX_SESSION_MEMORY = 16;

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: string;
  /** The longest answer, in bytes. */
  readonly limit: number;
  /** Milliseconds that the peer has. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * HTTP/2 over an existing connection.
 *
 * @throws {RatlsError} `unreachable` where it has ended meanwhile
 */
export function speakHttp2(socket: TLSSocket): ClientHttp2Session {
  if (socket.destroyed) {
    throw new RatlsError('unreachable', 'Cannot reach the peer: it hung up.', {
      remedy: 'See whether the box runs.',
    });
  }
  const session = connect(AUTHORITY, {
    createConnection: () => socket,
    settings: { enablePush: false },
    maxHeaderListPairs: MAX_HEADERS,
    maxSessionMemory: MAX_SESSION_MEMORY,
  });
  // Each request reports the error.
  session.on('error', () => {});
  // Node stores every origin that a peer claims, so a peer may claim none here.
  session.on('origin', () => session.destroy());
  return session;
}

/**
 * Sends a request and waits for the whole answer.
 *
 * @throws {RatlsError} `closed`, `timeout`, `aborted`, `too-large`, `protocol`
 */
export async function exchange(session: ClientHttp2Session, request: Request): Promise<Answer> {
  const { method, path, body, limit } = request;
  const signal = deadline(request.timeout, request.signal);
  if (signal.aborted) throw interruption(signal);
  const stream = openStream(session, {
    [constants.HTTP2_HEADER_METHOD]: method,
    [constants.HTTP2_HEADER_PATH]: path,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  });
  const abort = () => stream.destroy(interruption(signal));
  signal.addEventListener('abort', abort, { once: true });
  try {
    stream.end(body);
    return await wholeAnswer(stream, limit);
  } finally {
    signal.removeEventListener('abort', abort);
    stream.destroy();
  }
}

/** @throws {RatlsError} `closed` */
export function openStream(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  options: { readonly signal?: AbortSignal } = {},
): ClientHttp2Stream {
  try {
    return session.request({ ...headers }, options);
  } catch (cause) {
    throw new RatlsError('closed', 'Cannot ask: the session has ended.', { cause });
  }
}

function wholeAnswer(stream: ClientHttp2Stream, limit: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let status = 0;
    stream.once('response', (headers) => {
      status = headers[':status'] ?? 0;
    });
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length <= limit) return;
      stream.destroy(
        new RatlsError('too-large', `Cannot take the answer: it has more than ${limit} bytes.`),
      );
    });
    let ended = false;
    stream.once('end', () => {
      ended = true;
    });
    stream.once('error', (error) => reject(streamFailure(error)));
    // An answer that breaks off also ends, but with a code.
    stream.once('close', () => {
      const { rstCode } = stream;
      if (ended && rstCode === constants.NGHTTP2_NO_ERROR) {
        resolve({ status, body: Buffer.concat(chunks) });
      } else {
        reject(streamFailure(new Error(`the stream was closed with ${rstCode}`)));
      }
    });
  });
}

/** The error that a failed stream means for the caller. */
export function streamFailure(cause: Error): RatlsError {
  if (cause instanceof RatlsError) return cause;
  const code = 'code' in cause ? cause.code : undefined;
  if (code === 'ERR_HTTP2_SESSION_ERROR' || code === 'ERR_HTTP2_ERROR') {
    const message = `Cannot understand the peer: ${cause.message}.`;
    return new RatlsError('protocol', message, { cause });
  }
  return new RatlsError('closed', `Cannot get an answer: ${cause.message}.`, { cause });
}
