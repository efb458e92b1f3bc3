/**
 * Takes a connection over from HTTP, in the protocol that its client asks for.
 *
 * @module
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { A3sError } from '../../errors.ts';
import { BINARY } from '../../web-socket/frames.ts';
import { webSocketAccept } from '../../web-socket/handshake.ts';
import {
  type ByteConnection,
  switchingProtocols,
  webSocketStream,
} from '../../web-socket/stream.ts';
import { type Command, type CommandStreams, serveCommand } from './command.ts';
import { PORT_FORWARD, PORT_FORWARD_TUNNEL, servePortForward } from './port-forward.ts';
import { openSpdyCommand, SPDY_COMMAND_VERSIONS } from './spdy-command.ts';
import type { StreamTarget } from './stream-target.ts';
import { openWebSocketCommand, WEB_SOCKET_COMMAND_VERSIONS } from './web-socket-command.ts';

const SPDY = 'spdy/3.1';
const PROTOCOL_HEADER = 'x-stream-protocol-version';
/** What a client has that names no version. */
const UNNAMED = 'channel.k8s.io';

type OnError = (error: unknown) => void;

/** A request that gets an answer of HTTP. */
export class Refused extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }

  static of(error: unknown): Refused {
    if (error instanceof Refused) return error;
    if (error instanceof A3sError) return new Refused(400, error.message);
    return new Refused(500, 'The server failed in a way that was not foreseen.');
  }

  /** On a connection that was taken from Node's server. */
  answer(socket: Duplex): void {
    if (!socket.writable) return;
    const body = `${this.message}\n`;
    const lines = Object.entries(this.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(
      `HTTP/1.1 ${this.status} ${STATUS_CODES[this.status] ?? ''}\r\n${lines.join('')}` +
        `content-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
        `connection: close\r\n\r\n${body}`,
      () => socket.destroy(),
    );
  }
}

/**
 * Serves the connection to its end.
 *
 * @throws Refused, A3sError before the connection has left HTTP
 */
export async function serveUpgrade(
  target: StreamTarget,
  request: IncomingMessage,
  socket: Duplex,
  onError: OnError,
): Promise<void> {
  const connection = {
    input: socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>,
    output: socket,
  };
  const upgrade = (request.headers.upgrade ?? '').toLowerCase();
  if (upgrade === SPDY) return await serveSpdy(target, request, connection, onError);
  if (upgrade === 'websocket') return await serveWebSocket(target, request, connection, onError);
  throw new Refused(400, 'The request has to upgrade to SPDY/3.1 or to a WebSocket.');
}

async function serveSpdy(
  target: StreamTarget,
  request: IncomingMessage,
  connection: ByteConnection,
  onError: OnError,
): Promise<void> {
  const asked = named(request, PROTOCOL_HEADER);
  const supported =
    target.kind === 'portforward' ? [PORT_FORWARD] : [...SPDY_COMMAND_VERSIONS.keys()];
  const protocol = asked.length === 0 ? undefined : asked.find((name) => supported.includes(name));
  if (asked.length > 0 && protocol === undefined) {
    throw new Refused(
      403,
      `None of these protocols is supported: ${asked.join(', ').slice(0, 200)}`,
      {
        'X-Accepted-Stream-Protocol-Versions': supported.join(', '),
      },
    );
  }
  const chosen = protocol === undefined ? '' : `X-Stream-Protocol-Version: ${protocol}\r\n`;
  connection.output.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${chosen}\r\n`,
  );
  if (target.kind === 'portforward') {
    return await servePortForward(target.portForward, connection, onError);
  }
  const version = SPDY_COMMAND_VERSIONS.get(protocol ?? UNNAMED) ?? 1;
  await serve(target.command, onError, () => openSpdyCommand(connection, version, target.command));
}

async function serveWebSocket(
  target: StreamTarget,
  request: IncomingMessage,
  connection: ByteConnection,
  onError: OnError,
): Promise<void> {
  const headers = new Headers(
    Object.entries(request.headersDistinct).map(([name, values = []]): [string, string] => [
      name,
      values.join(', '),
    ]),
  );
  const accept = webSocketAccept(headers);
  const supported =
    target.kind === 'portforward' ? [PORT_FORWARD_TUNNEL] : [...WEB_SOCKET_COMMAND_VERSIONS.keys()];
  const asked = named(request, 'sec-websocket-protocol');
  const protocol = asked.find((name) => supported.includes(name));
  if (protocol === undefined) {
    throw new Refused(400, `A WebSocket has to ask for one of these: ${supported.join(', ')}`);
  }
  connection.output.write(switchingProtocols(accept, protocol));
  if (target.kind === 'portforward') {
    return await servePortForward(target.portForward, webSocketStream(connection, BINARY), onError);
  }
  const version = WEB_SOCKET_COMMAND_VERSIONS.get(protocol) ?? 4;
  await serve(target.command, onError, async () =>
    openWebSocketCommand(connection, version, target.command),
  );
}

/** The connection has left HTTP: what fails gets no answer of HTTP any more. */
async function serve(
  command: Command,
  onError: OnError,
  open: () => Promise<CommandStreams>,
): Promise<void> {
  try {
    await serveCommand(command, await open(), onError);
  } catch (error) {
    onError(error);
  }
}

function named({ headersDistinct }: IncomingMessage, header: string): readonly string[] {
  const values = headersDistinct[header] ?? [];
  return values.flatMap((value) => value.split(',').map((name) => name.trim()));
}
