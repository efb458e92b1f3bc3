/**
 * The answers of a builder to the gRPC calls of a client.
 *
 * @module
 */
import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { A3sError } from '../../errors.ts';
import { type AnswerHead, answerHeaders, failure, GRPC, GrpcError } from '../wire/grpc.ts';
import type { BudgetShare } from './byte-budget.ts';
import { explained, type RefusedRequests } from './explain.ts';
import { isOver } from './refuse-call.ts';

/** BuildKit's own bound on a message, in bytes. */
export const MAX_MESSAGE: number = 16 * 1024 * 1024;
/** Why a call has no answer. */
export const HAS_ENDED =
  'the build broke off, since its builder has ended. Build again: it is started anew';
const OK = 200;
const BROKE_OFF = { 'grpc-status': GRPC.unavailable, 'grpc-message': HAS_ENDED };

/**
 * A listener that ends the call where it throws. Nothing else would catch it, and the control
 * server would end.
 */
export function guarded<T extends readonly unknown[]>(
  stream: ServerHttp2Stream,
  listener: (...given: T) => void,
): (...given: T) => void {
  return (...given) => {
    try {
      listener(...given);
    } catch {
      // The client learns of it as an internal error.
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    }
  };
}

/** Carries the answer as it comes. One that breaks off ends with an error in words. */
export function passAnswer(sent: ClientHttp2Stream, stream: ServerHttp2Stream): void {
  let trailers: OutgoingHttpHeaders = BROKE_OFF;
  sent.once(
    'response',
    guarded(stream, (head: AnswerHead, flags: number) => {
      if (isOver(stream)) return;
      if (head[':status'] !== OK) {
        stream.respond(failure(GRPC.unavailable, otherStatus(head)), { endStream: true });
        sent.close(constants.NGHTTP2_CANCEL);
      } else if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) {
        stream.respond(answerHeaders(head), { endStream: true });
      } else {
        stream.respond(answerHeaders(head), { waitForTrailers: true });
        sent.pipe(stream, { end: false });
      }
    }),
  );
  sent.once('trailers', (last: IncomingHttpHeaders) => {
    trailers = answerHeaders(last);
  });
  sendTrailersOf(stream, () => trailers);
  sent.once(
    'close',
    guarded(stream, () => {
      if (isOver(stream)) return;
      if (stream.headersSent) stream.end();
      else stream.respond(failure(GRPC.unavailable, HAS_ENDED), { endStream: true });
    }),
  );
}

function sendTrailersOf(stream: ServerHttp2Stream, trailers: () => OutgoingHttpHeaders): void {
  stream.on(
    'wantTrailers',
    guarded(stream, () => {
      if (!isOver(stream)) stream.sendTrailers(trailers());
    }),
  );
}

function otherStatus(head: IncomingHttpHeaders): string {
  return `the builder answers with the HTTP status ${head[':status']}`;
}

export interface WholeAnswer {
  readonly head: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders | undefined;
}

/** Reads it to its end; rejects where it is no answer, too long, or breaks off. */
export function wholeAnswer(sent: ClientHttp2Stream, share: BudgetShare): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    let head: IncomingHttpHeaders | undefined;
    let trailers: IncomingHttpHeaders | undefined;
    const chunks: Buffer[] = [];
    sent.once('response', (headers) => {
      head = headers;
      if (headers[':status'] === OK) return;
      reject(new A3sError('builder-failed', otherStatus(headers)));
      sent.close(constants.NGHTTP2_CANCEL);
    });
    sent.once('trailers', (headers) => {
      trailers = headers;
    });
    let length = 0;
    sent.on('data', (chunk: Buffer) => {
      length += chunk.length;
      try {
        if (length > MAX_MESSAGE) throw new GrpcError(`the answer exceeds ${MAX_MESSAGE} bytes`);
        share.hold(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        sent.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
        reject(error);
      }
    });
    sent.once('close', () => {
      if (head !== undefined && sent.rstCode === constants.NGHTTP2_NO_ERROR) {
        resolve({ head, body: Buffer.concat(chunks), trailers });
      } else reject(new A3sError('builder-failed', HAS_ENDED));
    });
  });
}

/**
 * Sends the client an answer that was read.
 *
 * @param refused for an error that lacks the reasons
 */
export function send(
  stream: ServerHttp2Stream,
  { head, body, trailers }: WholeAnswer,
  refused: RefusedRequests,
): void {
  if (isOver(stream)) return;
  const last = explained(trailers ?? head, refused);
  if (trailers === undefined) {
    stream.respond(last, { endStream: true });
    return;
  }
  sendTrailersOf(stream, () => last);
  stream.respond(answerHeaders(head), { waitForTrailers: true });
  stream.end(body);
}
