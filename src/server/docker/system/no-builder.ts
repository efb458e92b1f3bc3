/**
 * A builder for BuildKit's clients that refuses every build. `docker build` asks its server for a
 * builder over gRPC, and starts one in a container where it finds none. So this one answers, has no
 * worker, and refuses every build in words.
 *
 * @module
 */
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { failure, GRPC } from '../../../build/wire/grpc.ts';

const LIST_WORKERS = '/moby.buildkit.v1.Control/ListWorkers';
/** A gRPC frame that is not compressed and has an empty message, which lists no worker. */
const EMPTY_MESSAGE = Buffer.alloc(5);
/** The limit of concurrent calls. A client has only a few. */
const MAX_STREAMS = 16;
const MAX_MEMORY_MIB = 1;

/** Speaks gRPC until the client leaves. @param reason the words of every refusal */
export async function refuseBuilds(
  client: Duplex,
  reason: string,
  gone: AbortSignal,
): Promise<void> {
  const connection = performServerHandshake(client, {
    maxSessionMemory: MAX_MEMORY_MIB,
    settings: { maxConcurrentStreams: MAX_STREAMS, enablePush: false },
  });
  const closed = new Promise<void>((resolve) => connection.once('close', resolve));
  // A broken connection, or one without HTTP/2, ends the HTTP/2 connection: `close` follows.
  connection.on('error', () => undefined);
  connection.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => undefined);
    // A reset that arrives together with the call ends the stream before this event.
    if (isOver(stream)) return;
    stream.resume();
    if (headers[':path'] === LIST_WORKERS) listNone(stream);
    else stream.respond(failure(GRPC.unimplemented, reason), { endStream: true });
  });
  const disconnect = (): void => connection.destroy();
  gone.addEventListener('abort', disconnect);
  if (gone.aborted) disconnect();
  await closed;
  gone.removeEventListener('abort', disconnect);
}

/**
 * Whether Node refuses to send on the stream: one that was reset without an error is closed, and
 * not destroyed.
 */
function isOver(stream: ServerHttp2Stream): boolean {
  return stream.closed || stream.destroyed;
}

function listNone(stream: ServerHttp2Stream): void {
  stream.on('wantTrailers', () => {
    if (!isOver(stream)) stream.sendTrailers({ 'grpc-status': GRPC.ok });
  });
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.end(EMPTY_MESSAGE);
}
