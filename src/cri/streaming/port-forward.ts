/**
 * Connections to ports of a pod: two streams of SPDY for each, one for its bytes and one for what
 * fails.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { writeBytes } from '../../async/write-bytes.ts';
import { A3sError } from '../../errors.ts';
import type { ByteConnection } from '../../web-socket/stream.ts';
import { SpdyConnection } from './spdy/connection.ts';
import { PROTOCOL_ERROR } from './spdy/frames.ts';
import type { SpdyStream } from './spdy/stream.ts';
import { failureText } from './status.ts';

/** Names of the protocol; by the second one, messages of a WebSocket carry the bytes of SPDY. */
export const PORT_FORWARD = 'portforward.k8s.io';
export const PORT_FORWARD_TUNNEL = 'SPDY/3.1+portforward.k8s.io';

const MAX_CONNECTIONS = 64;
/** Clients open both streams at once. */
const PAIR_MS = 30_000;
const LINGER_MS = 10_000;

export interface PortForward {
  /** The only ports; empty: all of them. */
  readonly ports: readonly number[];
  /** Connects to a port of the pod. The end of what is written ends that direction alone. */
  readonly dial: (port: number) => Promise<Duplex>;
}

interface Pair {
  readonly data: SpdyStream;
  readonly error: SpdyStream;
}

/** Returns when the client is gone. Never rejects: errors are sent to it, and go to `onError`. */
export async function servePortForward(
  target: PortForward,
  bytes: ByteConnection,
  onError: (error: unknown) => void,
  pairMs = PAIR_MS,
): Promise<void> {
  /** Streams whose other half has not come. */
  const single = new Map<string, { stream: SpdyStream; timer: NodeJS.Timeout }>();
  const connection = new SpdyConnection(bytes, {
    maxStreams: 2 * MAX_CONNECTIONS,
    onStream: (stream) => {
      const kind = stream.headers.get('streamtype');
      const request = stream.headers.get('requestid');
      if ((kind !== 'data' && kind !== 'error') || request === undefined) {
        void stream.reset(PROTOCOL_ERROR);
        return;
      }
      const other = single.get(request);
      if (other === undefined) {
        const timer = setTimeout(() => {
          single.delete(request);
          void stream.reset(PROTOCOL_ERROR);
        }, pairMs);
        single.set(request, { stream, timer });
        return;
      }
      if (other.stream.headers.get('streamtype') === kind) {
        void stream.reset(PROTOCOL_ERROR);
        return;
      }
      clearTimeout(other.timer);
      single.delete(request);
      const [data, error] = kind === 'data' ? [stream, other.stream] : [other.stream, stream];
      void forward(target, { data, error }, connection.gone, onError);
    },
  });
  await connection.serve();
  for (const { timer } of single.values()) clearTimeout(timer);
}

/** Carries one connection to its end. Never rejects. */
async function forward(
  target: PortForward,
  { data, error }: Pair,
  gone: AbortSignal,
  onError: (error: unknown) => void,
): Promise<void> {
  error.input.resume();
  const text = data.headers.get('port') ?? '';
  let socket: Duplex | undefined;
  try {
    socket = await target.dial(portOf(target, text));
    destroyAfter(gone, socket);
    destroyOn(data.resetByClient, socket);
    await Promise.all([toPod(data, socket), toClient(socket, data)]);
  } catch (failure) {
    // Nobody takes it, and what the other streams carry comes behind it.
    data.input.destroy();
    onError(failure);
    await error.write(Buffer.from(`error forwarding port ${text}: ${failureText(failure)}`));
  } finally {
    socket?.destroy();
    await data.end();
    await error.end();
  }
}

/** @throws A3sError `invalid-argument` */
function portOf({ ports }: PortForward, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) {
    throw new A3sError('invalid-argument', `${text.slice(0, 16)} is no port`);
  }
  if (ports.length === 0 || ports.includes(port)) return port;
  throw new A3sError('invalid-argument', `port ${port} is not one of those that were asked for`);
}

async function toPod(data: SpdyStream, socket: Duplex): Promise<void> {
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  if (socket.destroyed) closed.abort();
  try {
    for await (const bytes of data.input) {
      if (!socket.writable) return;
      await writeBytes(socket, bytes, closed.signal);
    }
  } catch {
    // The client has reset the stream.
    socket.destroy();
    return;
  }
  if (socket.writable) socket.end();
}

/** The pod gets what a client that is gone has sent, for a while. */
function destroyAfter(gone: AbortSignal, socket: Duplex): void {
  const end = (): void => {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  };
  if (gone.aborted) end();
  else gone.addEventListener('abort', end, { once: true });
  socket.once('close', () => gone.removeEventListener('abort', end));
}

/** A client that has reset its stream takes nothing more, however much the pod writes. */
function destroyOn(reset: AbortSignal, socket: Duplex): void {
  const end = (): void => void socket.destroy();
  if (reset.aborted) end();
  else reset.addEventListener('abort', end, { once: true });
}

async function toClient(socket: Duplex, data: SpdyStream): Promise<void> {
  try {
    for await (const bytes of socket) await data.write(bytes);
  } catch {
    // The pod has reset the connection: the client sees its end.
  }
  await data.end();
  // The pod takes nothing more.
  data.input.destroy();
}
