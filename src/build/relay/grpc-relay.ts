/**
 * Carries the gRPC calls of one BuildKit client to the builder.
 *
 * Calls pass as they are, message for message, except for the two that a build begins with. The
 * answer of the one that runs the build waits until its result is an image here: the client may
 * run it then.
 *
 * @module
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex, Readable } from 'node:stream';
import { A3sError } from '../../errors.ts';
import { failure, framed, GRPC, GrpcError, passedOn, unframed } from '../wire/grpc.ts';
import { ProtobufError } from '../wire/protobuf.ts';
import { explained } from './explain.ts';

const SOLVE = '/moby.buildkit.v1.Control/Solve';
const FRONTEND_SOLVE = '/moby.buildkit.v1.frontend.LLBBridge/Solve';
/** Metadata of the calls of a frontend that runs in the client. */
const BUILD_ID = 'buildkit-controlapi-buildid';

const HAS_ENDED =
  'the build broke off, since its builder has ended. Build again: it is started anew';
const BROKE_OFF = { 'grpc-status': GRPC.unavailable, 'grpc-message': HAS_ENDED };

/** A build has a handful of calls under way; a client may have several builds. */
const MAX_STREAMS = 128;
/** BuildKit's own bound on a message. */
const MAX_MESSAGE = 16 * 1024 * 1024;

/** What the control server does with the calls of a build. */
export interface BuildCalls {
  /** Why requests of builds were refused since a time, in milliseconds of `performance.now()`. */
  refusedSince(time: number): readonly string[];
  /** Changes the call that runs a build. Throws what refuses it. */
  solve(message: Buffer, signal: AbortSignal): Promise<RunningSolve>;
  /**
   * Changes the call of a frontend. Throws what refuses it.
   *
   * @param ref of the build that it belongs to
   */
  frontendSolve(message: Buffer, ref: string): Promise<Buffer>;
}

export interface RunningSolve {
  readonly message: Buffer;
  /** Makes an image of the result, and gives the response for the client. */
  finish(response: Buffer): Promise<Buffer>;
  /** Called once, whatever became of the call. */
  end(): void;
}

/** Serves a client until it leaves. Never rejects. */
export async function relayGrpc(
  client: Duplex,
  builder: Duplex,
  calls: BuildCalls,
  gone: AbortSignal,
): Promise<void> {
  const upstream = connect('http://builder', { createConnection: () => builder });
  const connection = performServerHandshake(client, {
    settings: { maxConcurrentStreams: MAX_STREAMS, enablePush: false },
  });
  const closed = Promise.all(
    [upstream, connection].map(
      (each) => new Promise<void>((resolve) => each.once('close', resolve)),
    ),
  );
  // `close` follows an error.
  for (const each of [upstream, connection]) each.on('error', () => undefined);
  connection.once('close', () => upstream.destroy());
  // Each call that is under way ends with an error first.
  upstream.once('close', () => connection.close());
  connection.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => undefined);
    if (stream.closed || stream.destroyed) return;
    void relayCall(stream, headers, upstream, calls);
  });
  const leave = (): void => connection.destroy();
  gone.addEventListener('abort', leave);
  if (gone.aborted) leave();
  await closed;
  gone.removeEventListener('abort', leave);
}

async function relayCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  upstream: ClientHttp2Session,
  calls: BuildCalls,
): Promise<void> {
  try {
    const path = headers[':path'];
    if (path === SOLVE) await relaySolve(stream, headers, upstream, calls);
    else if (path === FRONTEND_SOLVE) await relayFrontend(stream, headers, upstream, calls);
    else {
      const sent = begin(stream, headers, upstream);
      stream.pipe(sent);
      passAnswer(sent, stream);
    }
  } catch (error) {
    refuse(stream, error);
  }
}

async function relayFrontend(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  upstream: ClientHttp2Session,
  calls: BuildCalls,
): Promise<void> {
  const begun = performance.now();
  const ref = String(headers[BUILD_ID] ?? '');
  const message = await calls.frontendSolve(await messageOf(stream), ref);
  const sent = begin(stream, headers, upstream);
  sent.end(framed(message));
  send(stream, await wholeAnswer(sent), calls.refusedSince(begun));
}

async function relaySolve(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  upstream: ClientHttp2Session,
  calls: BuildCalls,
): Promise<void> {
  const begun = performance.now();
  const left = new AbortController();
  stream.once('close', () => left.abort());
  const solve = await calls.solve(await messageOf(stream), left.signal);
  try {
    const sent = begin(stream, headers, upstream);
    sent.end(framed(solve.message));
    const answer = await wholeAnswer(sent);
    const { 'content-length': _, ...head } = answer.head;
    const isResult = (answer.trailers ?? head)['grpc-status'] === GRPC.ok;
    const body = isResult ? framed(await solve.finish(unframed(answer.body))) : answer.body;
    send(stream, { ...answer, head, body }, calls.refusedSince(begun));
  } finally {
    solve.end();
  }
}

/** The call to the builder, which ends with that of the client. */
function begin(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  upstream: ClientHttp2Session,
): ClientHttp2Stream {
  if (upstream.destroyed || upstream.closed) {
    throw new A3sError('builder-failed', HAS_ENDED);
  }
  const sent = upstream.request(passedOn(headers));
  sent.on('error', () => undefined);
  const cancel = (): void => sent.close(constants.NGHTTP2_CANCEL);
  stream.once('aborted', cancel);
  stream.once('close', () => {
    if (!sent.closed) cancel();
  });
  return sent;
}

/** Carries the answer as it comes. One that breaks off ends with an error in words. */
function passAnswer(sent: ClientHttp2Stream, stream: ServerHttp2Stream): void {
  let trailers: IncomingHttpHeaders | undefined;
  sent.once('response', (head, flags) => {
    if (isOver(stream)) return;
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) {
      stream.respond(passedOn(head), { endStream: true });
      return;
    }
    stream.respond(passedOn(head), { waitForTrailers: true });
    sent.pipe(stream, { end: false });
  });
  sent.once('trailers', (last) => {
    trailers = last;
  });
  stream.on('wantTrailers', () => {
    if (!isOver(stream)) stream.sendTrailers(passedOn(trailers ?? BROKE_OFF));
  });
  sent.once('close', () => {
    if (isOver(stream)) return;
    if (stream.headersSent) stream.end();
    else stream.respond(failure(GRPC.unavailable, HAS_ENDED), { endStream: true });
  });
}

interface WholeAnswer {
  readonly head: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders | undefined;
}

function wholeAnswer(sent: ClientHttp2Stream): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    let head: IncomingHttpHeaders | undefined;
    let trailers: IncomingHttpHeaders | undefined;
    const chunks: Buffer[] = [];
    sent.once('response', (headers) => {
      head = headers;
    });
    sent.once('trailers', (headers) => {
      trailers = headers;
    });
    let length = 0;
    sent.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAX_MESSAGE) chunks.push(chunk);
      else sent.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    });
    sent.once('close', () => {
      if (head !== undefined && sent.rstCode === constants.NGHTTP2_NO_ERROR) {
        resolve({ head, body: Buffer.concat(chunks), trailers });
      } else reject(new A3sError('builder-failed', HAS_ENDED));
    });
  });
}

/** @param reasons why requests of the build were refused, for an error that lacks them */
function send(
  stream: ServerHttp2Stream,
  { head, body, trailers }: WholeAnswer,
  reasons: readonly string[],
): void {
  if (isOver(stream)) return;
  if (trailers === undefined) {
    stream.respond(explained(head, reasons), { endStream: true });
    return;
  }
  stream.on('wantTrailers', () => {
    if (!isOver(stream)) stream.sendTrailers(explained(trailers, reasons));
  });
  stream.respond(passedOn(head), { waitForTrailers: true });
  stream.end(body);
}

/** The one message of a call. */
async function messageOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    if (length > MAX_MESSAGE) throw new GrpcError(`the message exceeds ${MAX_MESSAGE} bytes`);
    chunks.push(chunk as Buffer);
  }
  return unframed(Buffer.concat(chunks));
}

function refuse(stream: ServerHttp2Stream, error: unknown): void {
  if (isOver(stream) || stream.headersSent) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  stream.resume();
  stream.respond(failure(statusOf(error), wordsOf(error)), { endStream: true });
}

/** In one line, as BuildKit's clients print it. */
function wordsOf(error: unknown): string {
  if (error instanceof A3sError) {
    return error.remedy === undefined ? error.message : `${error.message}. ${error.remedy}`;
  }
  return error instanceof Error ? error.message : String(error);
}

function statusOf(error: unknown): string {
  if (error instanceof GrpcError || error instanceof ProtobufError) return GRPC.invalidArgument;
  if (!(error instanceof A3sError)) return GRPC.internal;
  if (error.code === 'image-untrusted') return GRPC.permissionDenied;
  if (error.code === 'unsupported-option' || error.code === 'invalid-reference') {
    return GRPC.invalidArgument;
  }
  return GRPC.failedPrecondition;
}

function isOver(stream: ServerHttp2Stream): boolean {
  return stream.closed || stream.destroyed;
}
