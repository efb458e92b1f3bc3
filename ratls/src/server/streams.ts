/**
 * Requests and answers of HTTP/2 as whole documents.
 *
 * @module
 */
import { constants, type ServerHttp2Stream } from 'node:http2';

/** Undefined for more than `limit` bytes, and for a request that breaks off. */
export function readBody(stream: ServerHttp2Stream, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit) resolve(undefined);
      else chunks.push(chunk);
    });
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('close', () => resolve(undefined));
  });
}

export function respondJson(stream: ServerHttp2Stream, status: number, document: object): void {
  if (isOver(stream) || stream.headersSent) return;
  stream.respond({ ':status': status, 'content-type': 'application/json' });
  stream.end(JSON.stringify(document));
}

/** A stream that was reset is destroyed only once its body is read, and takes no answer before. */
export function isOver(stream: ServerHttp2Stream): boolean {
  return stream.destroyed || stream.closed;
}

/** The client learns that the request failed, and not how. */
export function fail(stream: ServerHttp2Stream): void {
  if (isOver(stream)) return;
  if (stream.headersSent) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  stream.respond({ ':status': 500 }, { endStream: true });
}
