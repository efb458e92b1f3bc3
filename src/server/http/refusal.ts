/**
 * Answers to malformed requests, and to requests beyond the limit. They are written by hand, since
 * nothing behind the parser has run.
 *
 * @module
 */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Problem } from '../../docker-api/problem.ts';

interface Refusal {
  readonly status: number;
  readonly body: Problem;
}

/** The answer to connections beyond those that are served. */
export const BUSY: Refusal = {
  status: 503,
  body: {
    message: 'Too many connections are open',
    code: 'conflict',
    remedy: 'Close some, or try again later.',
  },
};

/** The answer by the error of Node's parser. */
export function refusalOf(error: NodeJS.ErrnoException): Refusal {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        status: 431,
        body: { message: 'The request’s headers are too large', code: 'too-large' },
      };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return {
        status: 413,
        body: { message: 'The extensions of a chunk are too large', code: 'too-large' },
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: 408,
        body: { message: 'The request did not arrive in time', code: 'invalid-argument' },
      };
    default:
      return {
        status: 400,
        body: { message: 'The request is not HTTP/1.1', code: 'invalid-argument' },
      };
  }
}

/** Sends the answer, and ends the connection. */
export function hangUp(socket: Duplex, refusal: Refusal): void {
  if (socket.writable) socket.end(textOf(refusal), () => socket.destroy());
  else socket.destroy();
}

function textOf({ status, body }: Refusal): string {
  const document = `${JSON.stringify(body)}\n`;
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(document)}`,
    'Connection: close',
    '',
    document,
  ].join('\r\n');
}
