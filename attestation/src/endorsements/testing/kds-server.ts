/**
 * A server that behaves as the key distribution service does, including its faults.
 *
 * @module
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { certChainUrl, crlUrl, vcekUrl } from '../urls.ts';
import type { VcekRequest } from '../vcek-request.ts';
import { chainPem, crlDer, vcekDer } from './certificates.ts';

export type Behaviour = (response: ServerResponse, request: IncomingMessage) => void;

/** Ends with these bytes. */
export function answer(
  body: Uint8Array | string,
  status = 200,
  headers: Record<string, string> = {},
): Behaviour {
  return (response) => response.writeHead(status, headers).end(body);
}

export class KdsServer {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly requests: string[] = [];
  /** For each of them, when its connection is done with it. */
  readonly closed: Promise<unknown>[] = [];
  /** The answers to the next requests, before the endorsements. */
  readonly script: Behaviour[] = [];
  readonly #server: Server;
  readonly #endorsements = new Map<string, Uint8Array>();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => this.#serve(request, response));
    for (const product of ['Milan', 'Genoa', 'Turin'] as const) {
      for (const kind of ['VCEK', 'VLEK'] as const) {
        this.publish(certChainUrl(kind, product, ''), chainPem(kind, product));
        this.publish(crlUrl(kind, product, ''), crlDer({ product }));
      }
    }
  }

  static async start(): Promise<KdsServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new KdsServer(server);
  }

  /** Knows a VCEK from now on. */
  endorse(...requests: readonly VcekRequest[]): void {
    for (const request of requests) this.publish(vcekUrl(request, ''), vcekDer(request));
  }

  publish(path: string, body: Uint8Array): void {
    this.#endorsements.set(path, body);
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = String(request.url);
    this.requests.push(path);
    this.closed.push(once(response, 'close'));
    const body = this.#endorsements.get(path);
    const usual = body === undefined ? answer('<html>not found</html>', 404) : answer(body);
    const behaviour = this.script.shift() ?? usual;
    behaviour(response, request);
  }
}
