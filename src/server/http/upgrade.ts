/**
 * Requests that ask to leave HTTP. Once a server listens for them, Node passes every one of them
 * with its body unread, also those that no route would upgrade. All go through the router, which
 * may answer in HTTP.
 *
 * @module
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Hono } from 'hono';
import { A3sError } from '../../errors.ts';
import { SocketBytes } from './bytes.ts';
import { drop, upgradedStream } from './connection.ts';
import { failureOf } from './failure.ts';
import { responseOf } from './response.ts';
import type { Bindings, Upgraded } from './router.ts';

const LINGER_MS = 5000;

/** Never rejects. The socket is closed when it returns. */
export async function handleUpgrade(
  app: Hono<{ Bindings: Bindings }>,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const gone = new AbortController();
  socket.on('error', () => gone.abort());
  socket.once('close', () => gone.abort());
  const bytes = new SocketBytes(socket, head);
  const stream = upgradedStream(socket, bytes.rest());
  const upgraded: Upgraded = { stream, signal: gone.signal, taken: undefined };
  try {
    const request = requestOf(incoming, bytes);
    const response = await app.fetch(request, { incoming, upgraded });
    if (upgraded.taken === undefined) await answer(socket, response);
    else await upgraded.taken;
  } catch (error) {
    const { status, body } = failureOf(error);
    await answer(socket, responseOf({ kind: 'json', status, body }, gone.signal)).catch(
      () => undefined,
    );
  }
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  await drop(bytes.rest());
  clearTimeout(timer);
  socket.destroy();
}

function requestOf(incoming: IncomingMessage, bytes: SocketBytes): Request {
  const method = incoming.method ?? 'GET';
  if (incoming.headers['transfer-encoding'] !== undefined) {
    throw new A3sError('invalid-argument', 'A request that upgrades must say its body’s length');
  }
  const length = Number(incoming.headers['content-length'] ?? 0);
  const url = urlOf(incoming.url ?? '/');
  const headers = headersOf(incoming);
  if (method === 'GET' || method === 'HEAD' || length === 0) {
    return new Request(url, { method, headers });
  }
  const body = ReadableStream.from(bytes.take(length));
  // `duplex` is required by the standard and unknown to the types.
  return new Request(url, { method, headers, body, duplex: 'half' } as RequestInit);
}

function headersOf({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(headersDistinct)) {
    for (const value of values) headers.append(name, value);
  }
  return headers;
}

/** Two slashes at the beginning do not name a host here. */
function urlOf(target: string): URL {
  const url = target.startsWith('/') ? `http://a3s-box${target}` : target;
  if (!URL.canParse(url)) throw new A3sError('invalid-argument', 'The request’s target is no URL');
  return new URL(url);
}

async function answer(socket: Duplex, response: Response): Promise<void> {
  const headers = [...response.headers]
    .filter(([name]) => name !== 'transfer-encoding')
    .map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(
    `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ''}\r\n${headers.join('')}connection: close\r\n\r\n`,
  );
  if (response.body !== null) {
    for await (const chunk of response.body) {
      if (socket.destroyed) return;
      if (!socket.write(chunk)) await writable(socket);
    }
  }
  socket.end();
}

function writable(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}
