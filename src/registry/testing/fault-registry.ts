/**
 * A faulty registry: an HTTP server whose every answer the test writes.
 *
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

export type Answer = (
  request: SeenRequest & { readonly body: () => Promise<Buffer> },
  response: ServerResponse,
  /** How many requests came before. */
  index: number,
) => void | Promise<void>;

export interface FaultRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly requests: readonly SeenRequest[];
  /** Resolves once no client is connected. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export async function startFaultRegistry(answer: Answer): Promise<FaultRegistry> {
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  let whenIdle: () => void = () => undefined;
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const seen = { method, url, headers };
    const index = requests.push(seen) - 1;
    const body = async (): Promise<Buffer> => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      return Buffer.concat(chunks);
    };
    // A test that cuts connections also breaks its own pipes.
    response.on('error', () => undefined);
    Promise.resolve(answer({ ...seen, body }, response, index)).catch(() => response.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) whenIdle();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    requests,
    idle: () =>
      new Promise((resolve) => {
        whenIdle = resolve;
        if (sockets.size === 0) resolve();
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** The first byte that a `Range: bytes=N-` asks for. */
export function rangeStart({ headers }: SeenRequest): number {
  return Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? '0');
}

/** Answers as a good registry does; with `cutAt`, until the blob's byte with that number. */
export async function serveBlob(
  request: SeenRequest,
  response: ServerResponse,
  bytes: Buffer,
  cutAt?: number,
): Promise<void> {
  const start = rangeStart(request);
  const status = request.headers.range === undefined ? 200 : 206;
  response.writeHead(status, {
    'content-length': String(bytes.length - start),
    ...(status === 206 ? { 'content-range': contentRange(start, bytes.length) } : {}),
  });
  if (cutAt === undefined) response.end(bytes.subarray(start));
  else await sendAndCut(response, bytes.subarray(start, Math.max(cutAt, start)));
}

export function contentRange(start: number, size: number): string {
  return `bytes ${start}-${size - 1}/${size}`;
}

/** Sends this much of a body, and then neither ends nor continues it. */
export async function sendAndCut(response: ServerResponse, bytes: Buffer): Promise<void> {
  response.flushHeaders();
  if (bytes.length > 0)
    await new Promise<void>((resolve) => response.write(bytes, () => resolve()));
  // The written bytes are sent before the connection ends.
  response.socket?.end();
}
