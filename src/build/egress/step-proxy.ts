/**
 * The HTTP proxy of the steps of builds in one builder: tunnels (`CONNECT`), in which TLS stays
 * between a step and the host that it asks for, and requests of plain HTTP.
 *
 * What a step fetches is content of the build. So this proxy looks at hosts alone, and the one for
 * base images and `ADD` has nothing to do with it.
 *
 * @module
 */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
  request as sendRequest,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { A3sError } from '../../errors.ts';
import { endToEnd, namedByConnection } from '../../tls-proxy/headers.ts';
import { OneRequest } from '../../tls-proxy/one-request.ts';
import type { BuildHost } from '../host.ts';
import { phraseOf, Refusal, refusalOf } from '../proxy/refusal.ts';
import { Refusals } from '../proxy/refusals.ts';
import type { Asked, StandingEgress } from './build-egress.ts';
import { ConnectionLog } from './connection-log.ts';
import { type Dialer, proxyLogin, shown } from './dialer.ts';

const CONNECTED = 'HTTP/1.1 200 Connection established\r\n\r\n';
const AUTHORITY = /^([A-Za-z0-9_.-]{1,255}|\[[0-9a-fA-F:.]{2,45}\]):(\d{1,5})$/;
/** A client that may ask again on the connection does so too early: apt does. */
const LAST = { connection: 'close' };
const OF_MESSAGE = /^(?:content-length|transfer-encoding|host)$/;
const MAX_HEADERS = 64 * 1024;
const MAX_PORT = 65_535;
/** For the head of each request. */
const HEAD_MS = 30_000;
/** Without a byte in either direction. */
const SILENT_MS = 600_000;
/** Between the unexpected errors that are logged. */
const ERROR_MS = 10_000;

export interface StepProxyOptions {
  readonly egress: { standing(): Promise<Pick<StandingEgress, 'rule'>> };
  readonly dialer: Dialer;
  readonly log: BuildHost['log'];
  /** Whether a build is under way: without one, no step is. */
  readonly isUsed: () => boolean;
  readonly headMs?: number;
  readonly silentMs?: number;
}

export class StepProxy {
  readonly #options: StepProxyOptions;
  readonly #server = createServer({ maxHeaderSize: MAX_HEADERS, requestTimeout: 0 });
  /** Those of steps, and those to other hosts. */
  readonly #connections = new Set<Duplex>();
  readonly #oneRequest: OneRequest;
  readonly #timers = new WeakMap<object, NodeJS.Timeout>();
  #nextError = 0;
  readonly #hosts: ConnectionLog;
  readonly #refused = new Refusals();

  constructor(options: StepProxyOptions) {
    this.#options = options;
    this.#hosts = new ConnectionLog(options.log);
    this.#oneRequest = new OneRequest(options.silentMs ?? SILENT_MS);
    this.#server.on('clientError', (_error, connection) => connection.destroy());
    this.#server.on('request', (request, response) => void this.#answer(request, response));
    this.#server.on('connect', (request, connection, head) => {
      void this.#tunnel(request.url ?? '', connection, head);
    });
  }

  serve(connection: Duplex): void {
    this.#keep(connection);
    this.#awaitHead(connection);
    this.#server.emit('connection', connection);
  }

  /** Ends all connections: those of steps that are over. */
  cut(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  /** Why connections were refused since a time, in milliseconds of `performance.now()`. */
  refusedSince(time: number): readonly string[] {
    return this.#refused.since(time);
  }

  #keep(connection: Duplex): void {
    this.#connections.add(connection);
    connection.on('error', () => undefined);
    connection.once('close', () => {
      this.#connections.delete(connection);
      this.#disarm(connection);
    });
  }

  #disarm(connection: Duplex): void {
    clearTimeout(this.#timers.get(connection));
  }

  #awaitHead(connection: Duplex): void {
    this.#arm(connection, this.#options.headMs ?? HEAD_MS, () => connection.destroy());
  }

  #arm(connection: Duplex, ms: number, late: () => void): void {
    this.#disarm(connection);
    if (!connection.destroyed) this.#timers.set(connection, setTimeout(late, ms));
  }

  /** Never rejects. */
  async #tunnel(authority: string, connection: Duplex, head: Buffer): Promise<void> {
    const left = this.#oneRequest.begin(connection);
    if (left === undefined) return;
    this.#disarm(connection);
    let other: Duplex;
    try {
      const [, host = '', port] = AUTHORITY.exec(authority) ?? [];
      const asked = await this.#permitted(host, Number(port));
      other = await this.#options.dialer.tunnel(asked, asked.rule, left);
      this.#hosts.reached(shown(asked));
    } catch (error) {
      const refusal = this.#refusal(authority, error);
      connection.end(headOf(refusal));
      this.#awaitHead(connection);
      return;
    }
    if (connection.destroyed) {
      other.destroy();
      return;
    }
    this.#keep(other);
    this.#watch(connection, other);
    connection.write(CONNECTED);
    if (head.length > 0) other.write(head);
    // Each direction ends by itself; a failure of either ends both.
    const both = [pipeline(connection, other), pipeline(other, connection)];
    await Promise.allSettled(both);
  }

  /** Ends a tunnel that carries nothing. */
  #watch(connection: Duplex, other: Duplex): void {
    const alive = (): void =>
      this.#arm(connection, this.#options.silentMs ?? SILENT_MS, () => {
        connection.destroy();
        other.destroy();
      });
    connection.on('data', alive);
    other.on('data', alive);
    alive();
  }

  /** Never rejects. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const left = this.#oneRequest.begin(socket, response);
    if (left === undefined) return;
    this.#disarm(socket);
    response.once('close', () => this.#awaitHead(socket));
    try {
      await this.#pass(request, response, left);
    } catch (error) {
      request.resume();
      if (response.headersSent || response.destroyed) {
        response.destroy();
        return;
      }
      const { status, message } = this.#refusal(request.url ?? '', error);
      const body = `${message}\n`;
      response.writeHead(status, phraseOf(status, message), {
        ...{ 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) },
        ...LAST,
      });
      response.write(body);
      // A connection that ends with bytes unread takes the answer with it.
      this.#awaitHead(socket);
      await finished(request, { writable: false }).catch(() => undefined);
      response.end();
    }
  }

  async #pass(
    request: IncomingMessage,
    response: ServerResponse,
    left: AbortSignal,
  ): Promise<void> {
    const text = request.url ?? '';
    if (!/^http:\/\/[^/]/i.test(text) || !URL.canParse(text)) {
      throw new Refusal(400, 'it is no request to a proxy: it names no whole URL of plain HTTP');
    }
    refuseUnframed(request.headers);
    const url = new URL(text);
    const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
    const asked = await this.#permitted(host, Number(url.port || 80));
    const { socket, proxy } = await this.#options.dialer.plain(asked, asked.rule, left);
    this.#hosts.reached(shown(asked));
    this.#keep(socket);
    const path = `${url.pathname}${url.search}`;
    const sent = sendRequest({
      ...{ createConnection: () => socket, method: request.method ?? 'GET', setHost: false },
      path: proxy === undefined ? path : `${url.origin}${path}`,
      headers: {
        ...passedOn(request.headers),
        ...{ host: url.host, connection: 'close' },
        ...(proxy === undefined ? {} : proxyLogin(proxy)),
      },
    });
    left.addEventListener('abort', () => sent.destroy());
    if (left.aborted) sent.destroy();
    sent.setTimeout(this.#options.silentMs ?? SILENT_MS, () => sent.destroy());
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve);
      sent.once('error', () => reject(new Refusal(502, `${shown(asked)} closed the connection`)));
      // Another protocol was not asked for.
      sent.once('upgrade', (_, other) => {
        other.destroy();
        reject(new Refusal(502, `${shown(asked)} switched protocols`));
      });
    });
    // The answer may come before the end of the body, or without it.
    if (hasBody(request.headers)) pipeline(request, sent).catch(() => undefined);
    else sent.end();
    const answer = await answered;
    const { statusCode = 0, statusMessage = '' } = answer;
    if (statusCode < 200 || !/^[\t -~\x80-\xff]*$/.test(statusMessage)) {
      sent.destroy();
      throw new Refusal(502, `${shown(asked)} answers with an invalid status`);
    }
    response.writeHead(statusCode, statusMessage, { ...passedOn(answer.headers), ...LAST });
    await pipeline(answer, response);
  }

  /** @throws Refusal; A3sError `policy-invalid` */
  async #permitted(host: string, port: number) {
    if (!this.#options.isUsed()) throw new Refusal(403, 'no build is under way');
    if (host === '' || port < 1 || port > MAX_PORT) {
      throw new Refusal(400, 'the request has no valid host and port');
    }
    const bare = host.startsWith('[') ? host.slice(1, -1) : host.toLowerCase();
    const asked: Asked = { host: bare.replace(/\.$/, ''), port };
    const egress = await this.#options.egress.standing();
    return { ...asked, rule: egress.rule(asked) };
  }

  #refusal(asked: string, error: unknown): Refusal {
    const refusal = refusalOf(error);
    // A closed connection is not a refusal.
    if (error instanceof Error && error.name === 'AbortError') return refusal;
    if (!(error instanceof Refusal || error instanceof A3sError) && this.#mayLogError()) {
      this.#options.log.error('a connection of a step of a build failed', error);
    }
    const host = asked.slice(0, 300);
    this.#refused.add(`${host}: ${refusal.message}`);
    this.#hosts.refused(host, refusal.message);
    return refusal;
  }

  /** One error in a while: a step can have a fault of this server happen at will. */
  #mayLogError(): boolean {
    const now = performance.now();
    if (now < this.#nextError) return false;
    this.#nextError = now + ERROR_MS;
    return true;
  }
}

/** What says where a request ends, and whom it is for, is not a connection's to drop. */
function refuseUnframed(headers: IncomingHttpHeaders): void {
  const dropped = namedByConnection(headers).find((name) => OF_MESSAGE.test(name));
  if (dropped !== undefined) throw new Refusal(400, `its header Connection names ${dropped}`);
}

/** Node frames no body of GET, HEAD, DELETE and OPTIONS by itself. */
function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

/** A body stays chunked, which only its sender knows. */
function passedOn(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const isChunked = headers['transfer-encoding'] !== undefined;
  return { ...endToEnd(headers), ...(isChunked ? { 'transfer-encoding': 'chunked' } : {}) };
}

/** The whole answer to a `CONNECT` that is refused. */
function headOf({ status, message }: Refusal): string {
  const body = `${message}\n`;
  const phrase = phraseOf(status, message);
  return `HTTP/1.1 ${status} ${phrase}\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}
