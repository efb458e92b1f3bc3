/**
 * The Docker Engine API over the control server's unix socket.
 *
 * @module
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { type Duplex, type Readable, Readable as ReadableStream } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { A3sError } from '../../errors.ts';
import { API_VERSION } from '../version.ts';
import { failureOf, unreachable } from './failure.ts';
import type { Greeted } from './greet.ts';

/** The longest JSON document that is accepted from the server. */
const MAX_JSON = 64 * 1024 * 1024;
const MAX_ERROR = 1024 * 1024;

type QueryValue = string | number | boolean;

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  /**
   * The path below the version, such as `/containers/json`; `/a3s/…` and `/_ping` have no version.
   */
  readonly path: string;
  /**
   * The version of Docker's API, where the call needs a newer one than the client speaks otherwise.
   */
  readonly version?: string;
  /** A list repeats its name for each of its values. */
  readonly query?: Readonly<Record<string, QueryValue | readonly string[] | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a stream is sent unchanged. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** A connection that left HTTP. Ending it closes the sending half alone. */
export interface Hijacked {
  readonly stream: Duplex;
  /** Whether output comes in frames that name stdout or stderr. */
  readonly multiplexed: boolean;
}

export class Client {
  readonly socket: string;
  readonly #greeted: Greeted | undefined;

  /** @param greeted its connection takes the first request */
  constructor(socket: string, greeted?: Greeted) {
    this.socket = socket;
    this.#greeted = greeted;
  }

  /** @throws A3sError with the server's own code, or `server-unreachable` */
  async json(call: Call): Promise<unknown> {
    const response = await this.stream(call);
    const text = await this.#text(response, MAX_JSON);
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new A3sError('internal', `The server's answer to ${call.path} is not JSON`, {
        cause: error,
      });
    }
  }

  /** Resolves with the headers; the body follows as a stream. */
  async stream(call: Call): Promise<IncomingMessage> {
    const sent = await this.#send(call, {});
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve);
      sent.once('error', (error) => reject(unreachable(error, this.socket)));
      this.#sendBody(sent, call.body, reject);
    });
    return this.#check(response);
  }

  /** Upgrades the connection to a raw byte stream. */
  async hijack(call: Call): Promise<Hijacked> {
    const sent = await this.#send(call, { connection: 'Upgrade', upgrade: 'tcp' });
    return new Promise((resolve, reject) => {
      sent.once('upgrade', (response, stream, head) => {
        if (head.length > 0) stream.unshift(head);
        const type = response.headers['content-type'] ?? '';
        resolve({ stream, multiplexed: type.includes('multiplexed-stream') });
      });
      sent.once('response', (response) => {
        this.#check(response).then(
          () => reject(new A3sError('internal', `The server did not upgrade ${call.path}`)),
          reject,
        );
      });
      sent.once('error', (error) => reject(unreachable(error, this.socket)));
      this.#sendBody(sent, call.body, reject);
    });
  }

  async #send(call: Call, headers: Record<string, string>): Promise<ClientRequest> {
    const { request } = await import('node:http');
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(call.query ?? {})) {
      for (const one of [value ?? []].flat()) {
        query.append(name, typeof one === 'boolean' ? bit(one) : `${one}`);
      }
    }
    const { path, version = API_VERSION } = call;
    const base = /^\/(_ping|a3s\/)/.test(path) ? path : `/v${version}${path}`;
    return request({
      // Without an agent: it has no use here, and it would resolve host names.
      createConnection: () => this.#greeted?.take() ?? connect(this.socket),
      method: call.method,
      path: query.size === 0 ? base : `${base}?${query}`,
      headers: { host: 'a3s-box', ...call.headers, ...headers },
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
  }

  #sendBody(sent: ClientRequest, body: unknown, reject: (error: unknown) => void): void {
    if (body === undefined) {
      sent.end();
    } else if (body instanceof ReadableStream) {
      sent.setHeader('content-type', 'application/x-tar');
      // A server that refuses early closes the connection during the upload. Its answer counts.
      const source: Readable = body;
      let answered = false;
      sent.once('response', () => {
        answered = true;
      });
      pipeline(source, sent).catch((error: unknown) => {
        if (!answered) reject(source.errored === error ? error : unreachable(error, this.socket));
      });
    } else {
      const bytes = Buffer.from(JSON.stringify(body));
      sent.setHeader('content-type', 'application/json');
      sent.setHeader('content-length', bytes.length);
      sent.end(bytes);
    }
  }

  async #check(response: IncomingMessage): Promise<IncomingMessage> {
    const status = response.statusCode ?? 0;
    if (status < 400) return response;
    throw failureOf(status, await this.#text(response, MAX_ERROR));
  }

  /** Listens itself, since the first use of a stream's iterator takes a millisecond. */
  #text(response: IncomingMessage, limit: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length > limit) {
          response.destroy(new A3sError('too-large', 'The answer of the server is too large'));
        }
      });
      response.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      response.once('error', (error) => {
        reject(error instanceof A3sError ? error : unreachable(error, this.socket));
      });
      response.once('close', () => reject(unreachable(new Error('it hung up'), this.socket)));
    });
  }
}

function bit(value: boolean): string {
  return value ? '1' : '0';
}

/** One segment of a path: a user's text never adds another. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}
