/**
 * The server of CRI: gRPC over HTTP/2 without TLS, for a socket that only its owner can open.
 *
 * @module
 */
import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { criFailure } from './failure.ts';
import type { GrpcHandler } from './grpc/library.ts';
import type { CriHost } from './host.ts';
import { criServices } from './services.ts';
import type { StreamAddress } from './streaming/stream-address.ts';
import { StreamingServer } from './streaming/streaming-server.ts';

/**
 * Kubelet has two connections, tools one each. Critest opens two for each spec, and closes none.
 */
const CONNECTIONS = 1024;
/** Calls at once over one connection. */
const CALLS = 256;
/** How long calls that are under way may take when the server ends. */
const CLOSE_MS = 2_000;

/** A path that names a method: what else a client sends as a path, the library may not survive. */
const METHOD = /^\/[A-Za-z0-9_.]{1,256}\/[A-Za-z0-9_]{1,256}$/;

export class CriServer {
  /** For the caller to listen on. */
  readonly server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #streaming: StreamingServer;

  private constructor(handle: GrpcHandler, streaming: StreamingServer) {
    this.#streaming = streaming;
    this.server = createServer({ settings: { maxConcurrentStreams: CALLS } }, (call, answer) => {
      if (!METHOD.test(call.url)) {
        answer.writeHead(404).end();
        return;
      }
      // Clients of a unix socket send what they like, such as its path, and the library throws at
      // what is no host.
      call.headers[':authority'] = 'localhost';
      handle(call, answer);
    });
    this.server.maxConnections = CONNECTIONS;
    this.server.on('session', (session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    });
  }

  /**
   * @param release the version of this product
   * @param streams where the streaming server listens
   */
  static async open(rt: CriHost, release: string, streams?: StreamAddress): Promise<CriServer> {
    const { grpcHandler } = await import('#grpc');
    const streaming = await StreamingServer.listen(rt.log, streams);
    const handle = grpcHandler(criServices(rt, streaming, release), {
      shutdown: rt.shutdown,
      failure: (error, method) => {
        const failure = criFailure(error);
        if (failure.unexpected) rt.log.error('a call of CRI failed', error, { method });
        return failure;
      },
    });
    return new CriServer(handle, streaming);
  }

  /** Takes no more calls, and ends those that do not end soon. */
  async close(): Promise<void> {
    await this.#streaming.close();
    const closed = new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
    for (const session of this.#sessions) session.close();
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.destroy();
    }, CLOSE_MS);
    await closed;
    clearTimeout(timer);
  }
}
