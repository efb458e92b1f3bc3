/**
 * A control server for tests: the routes that the command line calls, with boxes that run a handful
 * of programs.
 *
 * @module
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { FakeBox } from './fake-box.ts';

export interface Recorded {
  readonly call: string;
  /** Of Docker's API, in the path; empty where the path has none. */
  readonly version: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** Documents of progress, one a line. */
  readonly lines?: readonly unknown[];
  readonly bytes?: Buffer;
  /** Keeps the answer open afterwards, until the client disconnects. */
  readonly endless?: true;
}

export class FakeServer {
  readonly calls: Recorded[] = [];
  readonly boxes = new Map<string, FakeBox>();
  /** Answers that replace the usual ones, by `METHOD /path`. */
  readonly answers = new Map<string, Answer>();
  /** Names of images that were pulled. `missing` exists only after a pull. */
  readonly pulled = new Set<string>();
  /** The number of clients that disconnected from an endless answer. */
  left = 0;
  readonly #server: Server;
  readonly #upgraded = new Set<Duplex>();

  constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    this.#server.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket, head).catch((error: unknown) =>
        socket.destroy(error as Error),
      );
    });
  }

  async listen(socket: string): Promise<void> {
    mkdirSync(dirname(socket), { recursive: true });
    this.#server.listen(socket);
    await once(this.#server, 'listening');
  }

  async close(): Promise<void> {
    for (const box of this.boxes.values()) box.end(137);
    this.drop();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Drops every client at once, as a dying server does. */
  drop(): void {
    for (const socket of this.#upgraded) socket.destroy();
    this.#server.closeAllConnections();
  }

  /** The calls so far, as `METHOD /path`. */
  get log(): readonly string[] {
    return this.calls.map(({ call }) => call);
  }

  called(call: string): Recorded | undefined {
    return this.calls.find((recorded) => recorded.call === call);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const recorded = record(request, await readAll(request));
    this.calls.push(recorded);
    const wait = /^POST \/containers\/(\w+)\/wait$/.exec(recorded.call);
    const logs = /^GET \/containers\/(\w+)\/logs$/.exec(recorded.call);
    if (wait !== null) return this.#wait(this.#box(wait[1]), response);
    if (logs !== null) {
      for (const frame of this.#box(logs[1])?.log ?? []) response.write(frame);
      response.end();
      return;
    }
    this.#send(response, this.answers.get(recorded.call) ?? this.#answer(recorded));
  }

  #send(response: ServerResponse, answer: Answer): void {
    const headers = {
      'content-type': 'application/json',
      'api-version': '1.45',
      ...answer.headers,
    };
    response.writeHead(answer.status ?? 200, headers);
    for (const line of answer.lines ?? []) response.write(`${JSON.stringify(line)}\r\n`);
    if (answer.json !== undefined) response.write(JSON.stringify(answer.json));
    if (answer.bytes !== undefined) response.write(answer.bytes);
    if (answer.endless !== true) {
      response.end();
      return;
    }
    response.flushHeaders();
    response.once('close', () => {
      this.left++;
    });
  }

  #wait(box: FakeBox | undefined, response: ServerResponse): void {
    response.writeHead(200);
    response.flushHeaders();
    box?.exited.then((StatusCode) => {
      const why = box.failure === '' ? {} : { Error: { Message: box.failure } };
      response.end(JSON.stringify({ StatusCode, ...why }));
    });
  }

  #answer({ call, query, body }: Recorded): Answer {
    if (call === 'GET /_ping') return { json: 'OK' };
    if (call === 'POST /containers/create') return this.#create(JSON.parse(body));
    if (call === 'POST /images/create') return this.#pull(query);
    if (call === 'POST /a3s/v1/image-policies') return { json: { id: `sha256:${'b'.repeat(64)}` } };
    const [, method, id, verb] =
      /^(\w+) \/(?:containers|exec)\/([^/]+)(?:\/(\w+))?$/.exec(call) ?? [];
    const box = this.#box(id);
    if (box === undefined) {
      return failure(404, 'no-such-box', `No such box: ${id}`);
    }
    if (method === 'DELETE') {
      box.end(137);
      this.boxes.delete(box.id);
      return { status: 204 };
    }
    if (verb === 'start') return this.#start(box);
    if (verb === 'resize') box.resize(Number(query.get('w')), Number(query.get('h')));
    if (verb === 'kill') {
      if (!box.running) return failure(409, 'box-not-running', `Box ${id} is not running`);
      box.signal(String(query.get('signal')));
    }
    if (verb === 'stop') box.end(128 + constants.signals.SIGTERM);
    if (verb === 'exec') return this.#create(JSON.parse(body));
    if (verb === 'json') return { json: box.inspect() };
    return { status: 204 };
  }

  #create(body: Record<string, unknown>): Answer {
    if (body['Image'] === 'missing' && !this.pulled.has('missing')) {
      return failure(404, 'no-such-image', 'No such image: missing', 'Load it with a3s-box load.');
    }
    const id = String(this.boxes.size + 1).padStart(64, 'a');
    this.boxes.set(id, new FakeBox(id, body));
    return { status: 201, json: { Id: id, Warnings: [] } };
  }

  #pull(query: URLSearchParams): Answer {
    const name = String(query.get('fromImage'));
    this.pulled.add(name);
    return {
      lines: [
        { status: `Pulling from library/${name}`, id: query.get('tag') },
        { status: 'Pulling fs layer', progressDetail: {}, id: 'aaaaaaaaaaaa' },
        {
          status: 'Downloading',
          progressDetail: { current: 5e6, total: 1e7 },
          id: 'aaaaaaaaaaaa',
        },
        { status: 'Pull complete', progressDetail: {}, id: 'aaaaaaaaaaaa' },
        { status: `Digest: sha256:${'d'.repeat(64)}` },
        { status: 'Trust: unsigned, which rule 1 allows' },
        { status: `Status: Downloaded newer image for ${name}:${query.get('tag')}` },
        { aux: { Digest: `sha256:${'d'.repeat(64)}` } },
      ],
    };
  }

  #start(box: FakeBox): Answer {
    if (box.program === 'absent') {
      return failure(
        400,
        'command-not-found',
        'exec: "absent": executable file not found in $PATH',
      );
    }
    if (box.program === 'unbootable') return failure(500, 'port-in-use', 'Port 80 is in use');
    box.start();
    return { status: 204 };
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#upgraded.add(socket);
    const length = Number(request.headers['content-length'] ?? 0);
    let body = head;
    while (body.length < length) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      body = Buffer.concat([body, chunk]);
    }
    const recorded = record(request, body.subarray(0, length).toString());
    this.calls.push(recorded);
    const id = /^POST \/(?:containers|exec)\/(\w+)\//.exec(recorded.call)?.[1];
    const box = this.#box(id);
    if (box === undefined) return socket.destroy() && undefined;
    socket.write(
      'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
    );
    if (body.length > length) socket.unshift(body.subarray(length));
    box.attach(socket);
    if (recorded.call.startsWith('POST /exec/')) box.start();
  }

  #box(id: string | undefined): FakeBox | undefined {
    return this.boxes.get(id ?? '') ?? [...this.boxes.values()].find((box) => box.name === id);
  }
}

function failure(status: number, code: string, message: string, remedy?: string): Answer {
  return { status, json: { message, code, remedy } };
}

function record(request: IncomingMessage, body: string): Recorded {
  const url = new URL(request.url ?? '', 'http://localhost');
  const path = url.pathname.replace(/^\/v1\.\d+/, '');
  const version = /^\/v(1\.\d+)/.exec(url.pathname)?.[1] ?? '';
  const call = `${request.method} ${path}`;
  return { call, version, query: url.searchParams, headers: request.headers, body };
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}
