/**
 * A connection that a client and a process share: Docker's hijacking, in both of its forms.
 *
 * With `Upgrade: tcp` the connection leaves HTTP after a `101`, without it after a `200`. Both
 * directions are then raw, and each can end on its own. A client that sends its request's body in
 * chunks stays with HTTP instead: that body is the input, and the response's body the output.
 *
 * @module
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { writeBytes } from '../../async/write-bytes.ts';
import type { ClientStream } from '../../boxes/run/client-stream.ts';
import { BINARY, TEXT } from '../../web-socket/frames.ts';
import {
  type ByteConnection,
  switchingProtocols,
  webSocketStream,
} from '../../web-socket/stream.ts';
import type { Answer } from './answer.ts';
import { SocketBytes } from './bytes.ts';
import {
  frame,
  lineFrames,
  MULTIPLEXED_STREAM,
  NAMES_FRAMING_SINCE,
  RAW_STREAM,
} from './frames.ts';

type Hijack = Extract<Answer, { kind: 'hijack' }>;

/** How long a client may take to read the end of the output and close its side. */
const LINGER_MS = 10_000;

export interface HijackedStream extends ByteConnection {
  /** Tells the client that the connection is raw from here on. */
  begin(contentType: string): void;
}

/** Takes over an upgraded socket. */
export function upgradedStream(socket: Duplex, input: AsyncIterable<Uint8Array>): HijackedStream {
  return {
    input,
    output: socket,
    begin: (type) => {
      socket.write(
        `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
      );
    },
  };
}

/** The events that Node's HTTP server listens for on a socket that it parses. */
const PARSER_EVENTS = ['data', 'end', 'close', 'error', 'timeout', 'drain'] as const;

/**
 * Takes a socket from Node's HTTP server in the middle of a request whose body was read to its end.
 * The client waits for the answer's headers before it sends anything else, so the parser has read
 * nothing of the following bytes.
 */
export function rawStream(response: ServerResponse, socket: Socket): HijackedStream {
  response.detachSocket(socket);
  // A listener of this server's own makes Node read the socket itself again. Until then the parser
  // has its handle.
  socket.on('data', () => undefined);
  for (const event of PARSER_EVENTS) socket.removeAllListeners(event);
  socket.on('error', () => undefined);
  socket.setTimeout(0);
  socket.pause();
  return {
    input: new SocketBytes(socket, Buffer.alloc(0)).rest(),
    output: socket,
    begin: (type) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\n\r\n`);
    },
  };
}

/** Continues with HTTP. */
export function chunkedStream(
  response: ServerResponse,
  input: AsyncIterable<Uint8Array>,
): HijackedStream {
  return {
    input,
    output: response,
    begin: (type) => {
      response.writeHead(200, { 'content-type': type });
      response.flushHeaders();
    },
  };
}

/** Docker's API version from which output is in binary messages. */
const BINARY_SINCE = 28;

/**
 * Continues in the messages of a WebSocket.
 *
 * @param accept the value of `Sec-WebSocket-Accept`
 */
export function webSocketHijack(
  stream: HijackedStream,
  accept: string,
  apiMinor: number,
): HijackedStream {
  return {
    ...webSocketStream(stream, apiMinor >= BINARY_SINCE ? BINARY : TEXT),
    begin: () => {
      stream.output.write(switchingProtocols(accept));
    },
  };
}

/** Serves the connection to its end. Never rejects: errors go to `onError`. */
export async function serveStream(
  stream: HijackedStream,
  answer: Hijack,
  apiMinor: number,
  signal: AbortSignal,
  onError: (error: unknown) => void,
): Promise<void> {
  const named = answer.multiplexed && apiMinor >= NAMES_FRAMING_SINCE;
  const { output } = stream;
  const gone = new AbortController();
  const disconnect = (): void => gone.abort();
  output.once('close', disconnect);
  // The end of a connection is not an error; `close` follows.
  output.on('error', disconnect);
  signal.addEventListener('abort', disconnect);
  if (signal.aborted || output.destroyed) disconnect();
  const client: ClientStream = {
    input: stream.input,
    gone: gone.signal,
    write: async (stream, bytes) => {
      if (gone.signal.aborted) return;
      const framed = answer.byLine === true ? lineFrames : frame;
      await writeBytes(output, answer.multiplexed ? framed(stream, bytes) : bytes, gone.signal);
    },
  };
  try {
    stream.begin(named ? MULTIPLEXED_STREAM : RAW_STREAM);
    await answer.serve(client);
  } catch (error) {
    if (!gone.signal.aborted) onError(error);
  } finally {
    signal.removeEventListener('abort', disconnect);
  }
  await hangUp(stream, gone.signal);
}

/**
 * Ends the output, then reads what the client still sends. Closing before that would look like a
 * broken connection.
 */
async function hangUp(stream: HijackedStream, gone: AbortSignal): Promise<void> {
  const { output } = stream;
  if (gone.aborted) {
    output.destroy();
    return;
  }
  const timer = setTimeout(() => output.destroy(), LINGER_MS);
  output.end();
  await drop(stream.input);
  clearTimeout(timer);
  if (!output.writableFinished) await new Promise((resolve) => output.once('close', resolve));
  output.destroy();
}

/** Reads to the end, or until the connection breaks, and discards the bytes. */
export async function drop(input: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const _ of input);
  } catch {
    // The client disconnected: there is nothing more to read.
  }
}
