/**
 * A builder for BuildKit's clients that refuses every build. `docker build` asks its server for a
 * builder over gRPC, and starts one in a container where it finds none. So this one answers, has no
 * worker, and refuses every build in words.
 *
 * @module
 */
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import { Duplex } from 'node:stream';
import type { ClientStream } from '../../../boxes/run/client-stream.ts';
import { drop } from '../../http/connection.ts';
import { HIJACK } from '../../http/replies.ts';
import { type Route, streamRoute } from '../../http/route.ts';
import { query } from '../query.ts';

export const NO_BUILDS =
  'this server does not build images yet: build with docker or podman elsewhere, and load the archive with docker load';

const LIST_WORKERS = '/moby.buildkit.v1.Control/ListWorkers';
/** A gRPC frame that is not compressed and has an empty message, which lists no worker. */
const EMPTY_MESSAGE = Buffer.alloc(5);
/** Status codes of gRPC. */
const OK = '0';
const UNIMPLEMENTED = '12';
/** The limit of concurrent calls. A client has only a few. */
const MAX_STREAMS = 16;
const MAX_MEMORY_MIB = 1;

const access = 'owner';

export const BUILDER_ROUTES: readonly Route[] = [
  streamRoute('POST', '/grpc', {
    ...({ access, query: query({}), answers: { 101: HIJACK } } as const),
    summary: 'Refuse every build of a BuildKit client',
    handler: () => ({ kind: 'hijack' as const, multiplexed: false, serve: serveBuilder }),
  }),
  streamRoute('POST', '/session', {
    ...({ access, query: query({}), answers: { 101: HIJACK } } as const),
    summary: 'Offer the files of a build, none of which is read',
    // The client serves calls on this connection, and waits for them until its build is refused.
    handler: () => ({
      ...{ kind: 'hijack' as const, multiplexed: false },
      serve: (client: ClientStream) => drop(client.input),
    }),
  }),
];

/** Speaks gRPC until the client leaves. */
async function serveBuilder(client: ClientStream): Promise<void> {
  const connection = performServerHandshake(duplexOf(client), {
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
    else refuse(stream);
  });
  const disconnect = (): void => connection.destroy();
  client.gone.addEventListener('abort', disconnect);
  if (client.gone.aborted) disconnect();
  await closed;
  client.gone.removeEventListener('abort', disconnect);
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
    if (!isOver(stream)) stream.sendTrailers({ 'grpc-status': OK });
  });
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.end(EMPTY_MESSAGE);
}

function refuse(stream: ServerHttp2Stream): void {
  const headers = {
    ...{ ':status': 200, 'content-type': 'application/grpc' },
    ...{ 'grpc-status': UNIMPLEMENTED, 'grpc-message': NO_BUILDS },
  };
  stream.respond(headers, { endStream: true });
}

/** The connection as a duplex stream, on which HTTP/2 can run. */
function duplexOf(client: ClientStream): Duplex {
  const input = client.input[Symbol.asyncIterator]();
  return new Duplex({
    read() {
      input.next().then(
        ({ done, value }) => this.push(done === true ? null : value),
        (error: Error) => this.destroy(error),
      );
    },
    write(chunk: Buffer, _encoding, done) {
      client.write(1, chunk).then(() => done(), done);
    },
  });
}
