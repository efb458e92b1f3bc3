/**
 * A client of the streaming server, up to the answer to its request.
 *
 * @module
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface OpenedStream {
  readonly socket: Socket;
  readonly status: number;
  /** The answer's status line and headers. What follows them was not read. */
  readonly head: string;
}

export const SPDY_HEADERS = ['Connection: Upgrade', 'Upgrade: SPDY/3.1', 'Content-Length: 0'];
export const WEB_SOCKET_HEADERS = [
  ...['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
];

/**
 * @param early bytes that are sent behind the request at once
 * @param secured a connection to use in place of a new one
 */
export async function openStream(
  url: string,
  headers: readonly string[],
  method = 'POST',
  early: Buffer = Buffer.alloc(0),
  secured?: Socket,
): Promise<OpenedStream> {
  const { hostname, port, pathname } = new URL(url);
  const socket = secured ?? connect(Number(port), hostname);
  socket.on('error', () => undefined);
  const head = `${method} ${pathname} HTTP/1.1\r\nHost: a\r\n${headers.join('\r\n')}\r\n\r\n`;
  socket.write(Buffer.concat([Buffer.from(head), early]));
  let text = '';
  while (!text.endsWith('\r\n\r\n')) {
    const byte: Buffer | null = socket.read(1);
    if (byte !== null) text += byte.toString('latin1');
    else if (socket.readableEnded || socket.destroyed)
      throw new Error(`there is no answer: ${text}`);
    else await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
  }
  return { socket, status: Number(text.split(' ')[1]), head: text };
}
