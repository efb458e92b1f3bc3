/**
 * A proxy between a client and the control server: it passes everything on, and checks each answer
 * against the table of routes, which `GET /a3s/v1/openapi.json` publishes.
 *
 * @module
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { Problem } from '../../../src/docker-api/problem.ts';
import type { Reply } from '../../../src/server/http/replies.ts';
import type { RouteEntry } from '../../../src/server/http/route.ts';
import { ROUTES } from '../../../src/server/routes.ts';
import { splitVersion } from '../../../src/server/version.ts';

export interface Overheard {
  /** Where the client connects. */
  readonly socket: string;
  /** Requests that were answered, as `GET /containers/json 200`. */
  readonly heard: ReadonlySet<string>;
  /** Answers that are not as described. */
  readonly wrong: readonly string[];
  stop(): Promise<void>;
}

export async function overhear(server: string): Promise<Overheard> {
  const socket = join(dirname(server), 'overheard.sock');
  const heard = new Set<string>();
  const wrong: string[] = [];
  const open = new Set<Socket>();
  const judge = (message: IncomingMessage, status: number, type: string, body: string): void => {
    const { route, path } = routeOf(message);
    heard.add(`${message.method} ${route?.path ?? path} ${status}`);
    const fault = faultOf(route, status, type, body);
    if (fault !== undefined) wrong.push(`${message.method} ${path} ${status}: ${fault}`);
  };
  const proxy = createServer((incoming, outgoing) => {
    forward(server, incoming, outgoing, judge);
  });
  proxy.on('connection', (connection: Socket) => {
    open.add(connection);
    connection.once('close', () => open.delete(connection));
  });
  proxy.on('upgrade', (incoming: IncomingMessage, client: Socket, head: Buffer) => {
    const upstream = connect(server, () => {
      upstream.write(headOf(incoming));
      upstream.write(head);
      client.pipe(upstream);
      upstream.pipe(client);
    });
    upstream.once('data', (first: Buffer) => {
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first.toString('latin1'))?.[1]);
      // A refusal is a document, whole in the first packet: servers of sockets write it at once.
      const [, body = ''] = first.toString().split('\r\n\r\n');
      judge(incoming, status, status === 101 ? '' : 'application/json', body);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.once('close', () => other.destroy());
    }
  });
  proxy.listen(socket);
  await once(proxy, 'listening');
  return {
    socket,
    heard,
    wrong,
    stop: async () => {
      const closed = once(proxy, 'close');
      proxy.close();
      for (const connection of open) connection.destroy();
      await closed;
    },
  };
}

type Judge = (message: IncomingMessage, status: number, type: string, body: string) => void;

/** What is kept of a body to be judged; answers of tests are smaller. */
const MAX_BODY = 16 * 2 ** 20;

function forward(
  socketPath: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  judge: Judge,
): void {
  const { method, url, headers } = incoming;
  const upstream = request({ socketPath, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
    outgoing.flushHeaders();
    const chunks: Buffer[] = [];
    let size = 0;
    answer.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY) chunks.push(chunk);
    });
    answer.on('close', () => {
      const body = Buffer.concat(chunks).toString();
      judge(incoming, answer.statusCode ?? 0, answer.headers['content-type'] ?? '', body);
    });
    answer.on('error', () => outgoing.destroy());
    answer.pipe(outgoing);
  });
  upstream.on('error', () => outgoing.destroy());
  // Who goes without the whole answer goes there too.
  outgoing.once('close', () => upstream.destroy());
  incoming.pipe(upstream);
}

function headOf({ method, url, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function routeOf({ method, url = '' }: IncomingMessage) {
  const { pathname } = new URL(url, 'http://socket');
  const path = splitVersion(pathname)?.path ?? pathname;
  // Docker's client asks for the headers of what is got.
  const verb = method === 'HEAD' ? 'GET' : method;
  const route = ROUTES.find((one) => one.method === verb && patternOf(one.path).test(path));
  return { route, path };
}

/** From Hono's notation; a parameter's own pattern stands in braces. */
function patternOf(path: string): RegExp {
  return new RegExp(
    `^${path.replace(/:\w+(?:\{([^}]*)\})?/g, (_, pattern?: string) => `(${pattern ?? '[^/]+'})`)}$`,
  );
}

/** Undefined: the answer is as described. */
function faultOf(
  route: RouteEntry | undefined,
  status: number,
  type: string,
  body: string,
): string | undefined {
  if (status >= 400) return misfit(Problem, body);
  if (route === undefined) return 'not in the table of routes';
  const { answers } = route.description;
  // A connection that was taken over without having been asked for is 200.
  const reply: Reply | undefined =
    answers[status] ?? (status === 200 ? hijackOf(answers[101]) : undefined);
  if (reply === undefined) return 'a status that is not described';
  if (!('kind' in reply)) return misfit(reply, body);
  if (reply.kind !== 'stream') return undefined;
  if (!reply.types.includes(type)) return `${type} is none of ${reply.types.join(', ')}`;
  const { line } = reply;
  if (line === undefined) return undefined;
  // Who went in the middle of a document has not read it.
  const whole = body.slice(0, body.lastIndexOf('\n') + 1);
  const lines = whole.split('\n').filter((text) => text.trim() !== '');
  return lines.map((text) => misfit(line, text)).find((fault) => fault !== undefined);
}

function hijackOf(reply: Reply | undefined): Reply | undefined {
  return reply !== undefined && 'kind' in reply && reply.kind === 'hijack' ? reply : undefined;
}

function misfit(schema: Extract<Reply, { safeParse: unknown }>, body: string): string | undefined {
  // The answer to HEAD has none.
  if (body === '') return undefined;
  try {
    const { error } = schema.safeParse(JSON.parse(body));
    return error === undefined ? undefined : `${error.message}: ${body.slice(0, 500)}`;
  } catch {
    return `no JSON: ${body.slice(0, 100)}`;
  }
}
