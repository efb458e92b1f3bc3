/**
 * Ends the TLS of connections to hosts that get egress secrets, by certificates of the box's own
 * authority, and sends each request on over a verified connection, with values in place of
 * placeholders.
 *
 * Each request is parsed and written anew: what the box sends cannot be read in another way by the
 * server. Values are in requests alone, and an answer that repeats one does not reach the box.
 *
 * @module
 */
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { endToEnd } from '../../../tls-proxy/headers.ts';
import { LeafCertificates } from '../../../tls-proxy/leaf-certificates.ts';
import { OneRequest } from '../../../tls-proxy/one-request.ts';
import { HTTPS } from '../packet-rules.ts';
import type { KeptSecret, KeptSecrets } from '../secrets.ts';
import type { Fail } from './failures.ts';
import type { Refuse } from './refusals.ts';
import {
  type Headers,
  SecretReturned,
  secretIn,
  WithoutSecrets,
  withValues,
} from './secret-values.ts';

export interface SecretProxyOptions extends KeptSecrets {
  /** The authorities that servers are verified by, in PEM. */
  readonly roots: readonly string[];
  readonly refuse: Refuse;
  readonly fail: Fail;
  /** For the head of each request, and for TLS with the box before. */
  readonly headMs?: number;
  /** For TLS with the server. */
  readonly connectMs?: number;
}

/** A connection of the box to a host. */
export interface HostConnection {
  /** The name that the client has stated. */
  readonly name: string;
  /** Connects to a permitted address of the name; undefined: to none. */
  readonly open: () => Promise<Socket | undefined>;
}

/** Each takes more memory than one that is only carried. */
const MAX_CONNECTIONS = 128;
const HEAD_MS = 30_000;
const CONNECT_MS = 10_000;
/** For a client that takes nothing of an answer. */
const STALLED_MS = 120_000;
/** After so long without a byte, a side is asked whether it is there: an answer may take long. */
const KEEP_ALIVE_MS = 60_000;
const MAX_HEADERS = 32 * 1024;

export class SecretProxy {
  readonly #options: SecretProxyOptions;
  readonly #certificates: LeafCertificates;
  /** For servers. Reading the authorities takes long. */
  readonly #trusting: ReturnType<typeof createSecureContext>;
  readonly #server: Server;
  readonly #connections = new Map<object, HostConnection>();
  readonly #oneRequest = new OneRequest(STALLED_MS);
  readonly #timers = new WeakMap<object, NodeJS.Timeout>();

  constructor(options: SecretProxyOptions) {
    this.#options = options;
    this.#certificates = new LeafCertificates(options.authority, 'a3s-box egress');
    this.#trusting = createSecureContext({ ca: [...options.roots] });
    this.#server = createServer({ maxHeaderSize: MAX_HEADERS, requestTimeout: 0 });
    this.#server.on('clientError', (_error, connection) => connection.destroy());
    this.#server.on('request', (request, response) => void this.#answer(request, response));
  }

  /** Whether the host gets a secret. */
  serves(name: string): boolean {
    return this.#options.secrets.some(({ host }) => host === name);
  }

  /** Takes over a connection, none of whose bytes was answered. */
  serve(client: Socket, connection: HostConnection): void {
    if (this.#connections.size >= MAX_CONNECTIONS) {
      const why = `it has ${MAX_CONNECTIONS} connections to hosts that get its secrets`;
      this.#options.refuse({ target: targetOf(connection), policy: 0, why });
      client.resetAndDestroy();
      return;
    }
    client.setKeepAlive(true, KEEP_ALIVE_MS);
    const secured = new TLSSocket(client, {
      isServer: true,
      secureContext: this.#certificates.contextFor(connection.name),
      ALPNProtocols: ['http/1.1'],
    });
    this.#connections.set(secured, connection);
    secured.on('error', () => secured.destroy());
    secured.once('close', () => {
      this.#connections.delete(secured);
      this.#disarm(secured);
      client.destroy();
    });
    client.once('close', () => secured.destroy());
    this.#arm(secured);
    this.#server.emit('connection', secured);
  }

  /** The time of the server itself begins with its listening, and this one never listens. */
  #arm(connection: TLSSocket): void {
    this.#disarm(connection);
    if (connection.destroyed) return;
    const timer = setTimeout(() => connection.destroy(), this.#options.headMs ?? HEAD_MS);
    this.#timers.set(connection, timer);
  }

  #disarm(connection: object): void {
    clearTimeout(this.#timers.get(connection));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket = request.socket as TLSSocket;
    const connection = this.#connections.get(socket);
    const left = this.#oneRequest.begin(socket, response);
    if (left === undefined) return;
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    this.#disarm(socket);
    response.once('close', () => this.#arm(socket));
    response.on('error', () => socket.destroy());
    try {
      const why = refusalOf(request, connection.name);
      if (why === undefined) await this.#relay({ request, response, left }, connection);
      else refuseRequest(response, 400, why);
    } catch (error) {
      this.#end(response, connection, error);
    }
  }

  #end(response: ServerResponse, connection: HostConnection, error: unknown): void {
    const { name } = connection;
    if (error instanceof SecretReturned) {
      const why = `its answer repeats the egress secret ${error.secret}`;
      this.#options.refuse({ target: targetOf(connection), policy: 0, why });
      refuseRequest(response, 502, why);
      return;
    }
    if (error instanceof UpstreamFailed) {
      this.#options.fail(`cannot send a request to ${name}`, error);
      refuseRequest(response, 502, error.message);
      return;
    }
    // The box, or the server, has ended the connection.
    response.destroy();
  }

  async #relay(
    { request, response, left }: Relayed,
    { name, open }: HostConnection,
  ): Promise<void> {
    const secrets = this.#options.secrets.filter(({ host }) => host === name);
    const server = await this.#secured(name, open);
    const end = (): void => void server.destroy();
    left.addEventListener('abort', end);
    if (left.aborted) end();
    try {
      const answer = await sendRequest({ request, name, secrets, server });
      const headers = endToEnd(answer.headers);
      const { statusCode = 502, statusMessage = '' } = answer;
      // As they came: a name is not in lower case, and none is left out.
      const found = secretIn([statusMessage, ...answer.rawHeaders], secrets);
      if (found !== undefined) throw new SecretReturned(found);
      response.writeHead(statusCode, statusMessage, headers);
      response.flushHeaders();
      await pipeline(answer, new WithoutSecrets(secrets), response);
    } finally {
      left.removeEventListener('abort', end);
      server.destroy();
    }
  }

  /** @throws UpstreamFailed unless the server has proved to be the host */
  async #secured(name: string, open: HostConnection['open']): Promise<TLSSocket> {
    const socket = await open();
    if (socket === undefined) throw new UpstreamFailed('no address of the host can be reached');
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const server = connectTls({
      ...{ socket, servername: name, secureContext: this.#trusting, rejectUnauthorized: true },
      ALPNProtocols: ['http/1.1'],
    });
    const timer = setTimeout(
      () => server.destroy(new Error('its TLS took too long')),
      this.#options.connectMs ?? CONNECT_MS,
    );
    try {
      await new Promise<void>((resolve, reject) => {
        server.on('secureConnect', resolve);
        server.on('error', reject);
        server.on('close', () => reject(new Error('the host has ended the connection')));
      });
      return server;
    } catch (error) {
      server.destroy();
      const why = error instanceof Error ? error.message : String(error);
      throw new UpstreamFailed(`no verified connection to the host: ${why}`);
    } finally {
      clearTimeout(timer);
    }
  }
}

interface Relayed {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly left: AbortSignal;
}

/** There is no answer of the server. */
class UpstreamFailed extends Error {}

interface Sent {
  readonly request: IncomingMessage;
  readonly name: string;
  readonly secrets: readonly KeptSecret[];
  readonly server: TLSSocket;
}

/** Sends the request on, with a head that is written anew. @returns the head of the answer */
function sendRequest({ request, name, secrets, server }: Sent): Promise<IncomingMessage> {
  const isChunked = request.headers['transfer-encoding'] !== undefined;
  const hasBody = isChunked || request.headers['content-length'] !== undefined;
  const headers = withValues(withoutParts(endToEnd(request.headers)), secrets);
  const sent = httpRequest({
    createConnection: () => server,
    ...{ method: request.method, path: request.url, setHost: false },
    headers: {
      ...headers,
      host: name,
      // A value in a compressed answer would not be found.
      'accept-encoding': 'identity',
      // Without it, Node would send the body of some methods unframed, as a request of its own.
      ...(isChunked ? { 'transfer-encoding': 'chunked' } : {}),
      connection: 'close',
    },
    maxHeaderSize: MAX_HEADERS,
  });
  return new Promise((resolve, reject) => {
    sent.on('response', resolve);
    sent.on('upgrade', () => reject(new UpstreamFailed('it has changed the protocol unasked')));
    sent.on('error', (error) => reject(new UpstreamFailed(error.message)));
    sent.on('close', () => reject(new UpstreamFailed('the host has ended the connection')));
    if (!hasBody) sent.end();
    // What breaks on either side destroys the other one.
    else pipeline(request, sent).catch(() => sent.destroy());
  });
}

/** Headers that ask for a part of an answer, also as servers know them from older clients. */
const PARTS = new Set(['range', 'request-range', 'if-range']);

/**
 * The headers without those. A value that a host repeats would come in parts, none of which is the
 * value. A server may ignore them, so that every client takes a whole answer (RFC 9110, 14.2).
 */
function withoutParts(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !PARTS.has(name)));
}

/** Why a request is not sent on; undefined: it is. */
function refusalOf(request: IncomingMessage, name: string): string | undefined {
  const hosts = request.rawHeaders.filter(
    (text, at) => at % 2 === 0 && text.toLowerCase() === 'host',
  );
  const host = request.headers.host?.toLowerCase();
  if (hosts.length !== 1 || (host !== name && host !== `${name}:${HTTPS}`)) {
    return 'its request is for another host than the name of its TLS';
  }
  if (request.url?.startsWith('/') !== true && request.url !== '*') {
    return 'its request does not name a path';
  }
  // The body is sent on in chunks, without the name of what else it is coded by.
  const coding = request.headers['transfer-encoding']?.toLowerCase() ?? 'chunked';
  if (coding !== 'chunked') return 'its body has another transfer coding than chunked';
  // The answer to TRACE is the request.
  return request.method === 'TRACE' ? 'TRACE is not sent to hosts that get secrets' : undefined;
}

function refuseRequest(response: ServerResponse, status: number, why: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const text = `a3s-box: ${why}\n`;
  response.writeHead(status, {
    ...{ 'content-type': 'text/plain; charset=utf-8', connection: 'close' },
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function targetOf({ name }: HostConnection): string {
  return `${name}:${HTTPS}/tcp`;
}
