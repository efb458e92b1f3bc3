/**
 * A Docker engine that creates nothing: it answers as the control server does, and records the
 * create documents that a client sends. So what is measured is what the client would create, to the
 * last field.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isObject, type JsonObject } from '../../client/json.ts';

const MAX_BODY = 16 * 1024 * 1024;
const VERSION = /^\/v\d+\.\d+(?=\/)/;

/** What a client that creates boxes may change: images are pulled, which `measure` does too. */
const PULL = '/images/create';

export class RecordingEngine implements AsyncDisposable {
  readonly socket: string;
  readonly #directory: string;
  readonly #upstream: string;
  readonly #server = createServer((incoming, answer) => {
    this.#serve(incoming, answer).catch((error: unknown) => {
      if (answer.headersSent) answer.destroy();
      else reply(answer, 500, { message: error instanceof Error ? error.message : String(error) });
    });
  });
  readonly #created = new Map<string, JsonObject>();

  private constructor(directory: string, upstream: string) {
    this.#directory = directory;
    this.#upstream = upstream;
    this.socket = join(directory, 'engine.sock');
  }

  /** @param upstream the control server's socket */
  static async listen(upstream: string): Promise<RecordingEngine> {
    // Nobody else can enter it.
    const engine = new RecordingEngine(await mkdtemp(join(tmpdir(), 'a3s-recording-')), upstream);
    engine.#server.listen(engine.socket);
    await once(engine.#server, 'listening');
    return engine;
  }

  /** The create documents, in the order in which they came. */
  get created(): readonly JsonObject[] {
    return [...this.#created.values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = incoming;
    const [pathname = '', query] = url.split('?', 2);
    const path = pathname.replace(VERSION, '');
    const pulls = path === PULL && new URLSearchParams(query).has('fromImage');
    const isRead = method === 'GET' || method === 'HEAD';
    // No box of the application exists: each is created.
    if (isRead && path === '/containers/json') return reply(answer, 200, []);
    const [, , id = ''] = path.split('/');
    const made = this.#created.get(id);
    if (isRead && made !== undefined) return reply(answer, 200, inspected(id, made));
    if (method === 'POST' && path === '/containers/create') {
      return reply(answer, 201, await this.#create(incoming));
    }
    if (method === 'POST' && path === '/networks/create') {
      return reply(answer, 201, { Id: newId(), Warning: '' });
    }
    if (method === 'POST' && path === '/volumes/create') {
      const { Name = newId() } = await readObject(incoming);
      return reply(answer, 201, { Name, Driver: 'local', Mountpoint: '', Scope: 'local' });
    }
    if (isRead || (method === 'POST' && pulls)) return await this.#forward(incoming, answer);
    const message = `a measurement changes nothing, and this needs ${method} ${path}`;
    reply(answer, 501, { message });
  }

  async #create(incoming: IncomingMessage): Promise<object> {
    const id = newId();
    this.#created.set(id, await readObject(incoming));
    return { Id: id, Warnings: [] };
  }

  async #forward(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    const sent = request({ socketPath: this.#upstream, method, path: url, headers });
    const response = once(sent, 'response') as Promise<[IncomingMessage]>;
    await Promise.all([pipeline(incoming, sent), response]);
    const [received] = await response;
    answer.writeHead(received.statusCode ?? 502, received.headers);
    await pipeline(received, answer);
  }
}

async function readObject(incoming: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new RangeError('the document is too long');
    chunks.push(chunk);
  }
  const document: unknown = JSON.parse(Buffer.concat(chunks).toString());
  if (isObject(document)) return document;
  throw new TypeError('the document is no object');
}

/** As Docker's ids are. */
function newId(): string {
  return randomBytes(32).toString('hex');
}

function inspected(id: string, { Image, Labels }: JsonObject): object {
  return {
    ...{ Id: id, Name: `/${id.slice(0, 12)}`, Created: new Date(0).toISOString() },
    ...{ Image, Config: { Image, Labels }, HostConfig: {}, Mounts: [] },
    ...{ State: { Status: 'created' }, NetworkSettings: { Networks: {} } },
  };
}

function reply(answer: ServerResponse, status: number, document: unknown): void {
  answer.writeHead(status, { 'content-type': 'application/json' });
  answer.end(JSON.stringify(document));
}
