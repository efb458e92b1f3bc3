/**
 * Carries the gRPC calls of one BuildKit client to the builder.
 *
 * Calls of a list pass as they are, message for message, except for the two that a build begins
 * with; no others do. The answer of the one that runs the build waits until its result is an image
 * here: the client may run it then.
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
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex, Readable } from 'node:stream';
import { A3sError } from '../../errors.ts';
import { framed, GRPC, GrpcError, passedOn, unframed } from '../wire/grpc.ts';
import { type BudgetShare, ByteBudget } from './byte-budget.ts';
import type { RefusedRequests } from './explain.ts';
import {
  guarded,
  HAS_ENDED,
  MAX_MESSAGE,
  passAnswer,
  send,
  type WholeAnswer,
  wholeAnswer,
} from './grpc-answers.ts';
import { FRONTEND_SOLVE, LIST_WORKERS, PASSED, SOLVE, STATUS } from './methods.ts';
import { refuseBuild } from './refuse-build.ts';
import { isOver, refuseCall, UnknownMethod } from './refuse-call.ts';
import { buildOf, SolveStarts } from './solve-starts.ts';

/** Metadata of the calls of a frontend that runs in the client. */
const BUILD_ID = 'buildkit-controlapi-buildid';

/** A build has a handful of calls under way; a client may have several builds. */
const MAX_STREAMS = 128;
/** Of the calls of all clients. The messages of a build are far smaller than their bound. */
const BUFFERED = new ByteBudget(4 * MAX_MESSAGE);

/** What the control server does with the calls of a build. */
export interface BuildCalls {
  /** Why requests of builds were refused since a time, in milliseconds of `performance.now()`. */
  refusedSince(time: number): RefusedRequests;
  /** Changes the call that runs a build. Throws what refuses it. */
  solve(message: Buffer, signal: AbortSignal): Promise<RunningSolve>;
  /**
   * Changes the call of a frontend. Throws what refuses it.
   *
   * @param ref of the build that it belongs to
   */
  frontendSolve(message: Buffer, ref: string): Promise<Buffer>;
  /** What the builder has answered to a list of its workers, if that is known. */
  workers(message: Buffer): WholeAnswer | undefined;
  keepWorkers(message: Buffer, answer: WholeAnswer): void;
}

export interface RunningSolve {
  readonly message: Buffer;
  /** Makes an image of the result, and gives the response for the client. */
  finish(response: Buffer): Promise<Buffer>;
  /** Called once, whatever became of the call. */
  end(): void;
}

/** A connection to the builder, and what is done with the calls on it. */
export interface OpenedBuilder {
  readonly stream: Duplex;
  readonly calls: BuildCalls;
}

export interface RelayOptions {
  readonly gone: AbortSignal;
  /** The words of every refusal where the builder cannot be opened. */
  readonly reasonOf: (error: unknown) => string;
  readonly buffered?: ByteBudget;
}

/**
 * Serves a client until it leaves. The client's side speaks HTTP/2 from the beginning: Go's gRPC
 * gives a server 20 seconds for its settings, and a builder may take longer to start. Calls wait
 * for the builder, within the windows of HTTP/2. Never rejects.
 *
 * @param open gets a signal that aborts once the client has left
 */
export async function relayGrpc(
  client: Duplex,
  open: (left: AbortSignal) => Promise<OpenedBuilder>,
  { gone, reasonOf, buffered = BUFFERED }: RelayOptions,
): Promise<void> {
  const connection = performServerHandshake(client, {
    settings: { maxConcurrentStreams: MAX_STREAMS, enablePush: false },
  });
  // `close` follows an error.
  connection.on('error', () => undefined);
  const left = new AbortController();
  const closed = new Promise<void>((resolve) => {
    connection.once('close', () => {
      left.abort();
      resolve();
    });
  });
  const opened = open(left.signal).then(({ stream, calls }) => {
    if (left.signal.aborted) stream.destroy();
    left.signal.throwIfAborted();
    return { calls, upstream: connectUpstream(stream, connection) };
  });
  // Each call gets the reason. There may be none.
  opened.catch(() => undefined);
  const starts = new SolveStarts();
  connection.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => undefined);
    opened.then(
      ({ calls, upstream }) => {
        if (!isOver(stream)) {
          void relayCall({ stream, headers, upstream, starts, buffered }, calls);
        }
      },
      (error: unknown) => {
        if (!isOver(stream)) refuseBuild(stream, headers[':path'], reasonOf(error));
      },
    );
  });
  // By itself: a connection that has said goodbye waits for its socket, which may stay open.
  const leave = (): void => {
    for (const each of [connection, client]) each.destroy();
  };
  gone.addEventListener('abort', leave);
  if (gone.aborted) leave();
  await closed;
  await opened.then(
    ({ upstream }) => upstream.closed,
    () => undefined,
  );
  gone.removeEventListener('abort', leave);
}

interface Upstream {
  readonly session: ClientHttp2Session;
  readonly closed: Promise<void>;
}

/** It ends with the client's connection, and that one with it. */
function connectUpstream(builder: Duplex, connection: ServerHttp2Session): Upstream {
  const session = connect('http://builder', { createConnection: () => builder });
  session.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => session.once('close', resolve));
  const end = (): void => {
    for (const each of [session, builder]) each.destroy();
  };
  // Node gives a session what the stream has on the next tick, and throws where it is gone by then.
  connection.once('close', () => setImmediate(end));
  // Each call that is under way ends with an error first.
  session.once('close', () => connection.close());
  return { session, closed };
}

interface Call {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly upstream: Upstream;
  readonly starts: SolveStarts;
  readonly buffered: ByteBudget;
}

/** Never rejects. */
async function relayCall(call: Call, calls: BuildCalls): Promise<void> {
  const { stream, headers } = call;
  const path = headers[':path'] ?? '';
  const share = call.buffered.share();
  try {
    if (headers[':method'] !== 'POST') throw new UnknownMethod();
    if (path === SOLVE) await relaySolve(call, calls, share);
    else if (path === FRONTEND_SOLVE) await relayFrontend(call, calls, share);
    else if (path === STATUS) await relayStatus(call, share);
    else if (path === LIST_WORKERS) await relayWorkers(call, calls, share);
    else if (PASSED.has(path)) await relayPassed(call);
    else throw new UnknownMethod();
    // The answer is held until the client has it.
    if (isOver(stream)) share.release();
    else stream.once('close', share.release);
  } catch (error) {
    share.release();
    guarded(stream, () => refuseCall(stream, error))();
  }
}

async function relayPassed(call: Call): Promise<void> {
  const { stream } = call;
  await buildOfFrontend(call);
  const sent = begin(call);
  stream.pipe(sent);
  passAnswer(sent, stream);
}

async function relayWorkers(call: Call, calls: BuildCalls, share: BudgetShare): Promise<void> {
  const begun = performance.now();
  const message = await messageOf(call.stream, share);
  let answer = calls.workers(message);
  if (answer === undefined) {
    const sent = begin(call);
    sent.end(framed(message));
    answer = await wholeAnswer(sent, share);
    calls.keepWorkers(message, answer);
  }
  send(call.stream, answer, calls.refusedSince(begun));
}

async function relayFrontend(call: Call, calls: BuildCalls, share: BudgetShare): Promise<void> {
  const ref = await buildOfFrontend(call);
  const begun = performance.now();
  const message = await calls.frontendSolve(await messageOf(call.stream, share), ref);
  const sent = begin(call);
  sent.end(framed(message));
  send(call.stream, await wholeAnswer(sent, share), calls.refusedSince(begun));
}

/**
 * Returns the build whose frontend calls, once the builder has that build; an empty text where no
 * frontend does.
 */
async function buildOfFrontend({ stream, headers, starts }: Call): Promise<string> {
  const ref = String(headers[BUILD_ID] ?? '');
  if (ref !== '') await starts.ready(ref, leftOf(stream));
  return ref;
}

/** The progress of a build, which the builder has to know by then. */
async function relayStatus(call: Call, share: BudgetShare): Promise<void> {
  const { stream, starts } = call;
  const left = leftOf(stream);
  const message = await messageOf(stream, share);
  await starts.ready(buildOf(message), left);
  const sent = begin(call);
  sent.end(framed(message));
  passAnswer(sent, stream);
}

function leftOf(stream: ServerHttp2Stream): AbortSignal {
  const left = new AbortController();
  stream.once('close', () => left.abort());
  return left.signal;
}

async function relaySolve(call: Call, calls: BuildCalls, share: BudgetShare): Promise<void> {
  const { stream, starts } = call;
  const begun = performance.now();
  const left = leftOf(stream);
  const asked = await messageOf(stream, share);
  const started = starts.come(asked);
  const solve = await calls.solve(asked, left).catch((error: unknown) => {
    started();
    throw error;
  });
  try {
    const sent = begin(call);
    sent.end(framed(solve.message));
    started();
    const answer = await wholeAnswer(sent, share);
    const isResult = (answer.trailers ?? answer.head)['grpc-status'] === GRPC.ok;
    const body = isResult ? framed(await solve.finish(unframed(answer.body))) : answer.body;
    send(stream, { ...answer, body }, calls.refusedSince(begun));
  } finally {
    started();
    solve.end();
  }
}

/**
 * The call to the builder, which ends with that of the client. Throws where the client has
 * cancelled its call meanwhile: nothing would end this one.
 */
function begin({ stream, headers, upstream }: Call): ClientHttp2Stream {
  if (isOver(stream)) throw new GrpcError('the call was cancelled');
  const { session } = upstream;
  if (session.destroyed || session.closed) throw new A3sError('builder-failed', HAS_ENDED);
  const sent = session.request(passedOn(headers));
  sent.on('error', () => undefined);
  const cancel = (): void => sent.close(constants.NGHTTP2_CANCEL);
  stream.once('aborted', cancel);
  stream.once('close', () => {
    if (!sent.closed) cancel();
  });
  return sent;
}

/** The one message of a call. */
async function messageOf(stream: Readable, share: BudgetShare): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    if (length > MAX_MESSAGE) throw new GrpcError(`the message exceeds ${MAX_MESSAGE} bytes`);
    share.hold((chunk as Buffer).length);
    chunks.push(chunk as Buffer);
  }
  return unframed(Buffer.concat(chunks));
}
