/**
 * A stream of bytes in the messages of a WebSocket.
 *
 * @module
 */
import { Writable } from 'node:stream';
import { closeFrame, frameOf, messageBytes, NORMAL } from './frames.ts';

/** Both directions of a connection. Each can end on its own. */
export interface ByteConnection {
  readonly input: AsyncIterable<Uint8Array>;
  readonly output: Writable;
}

/** The answer that opens a WebSocket. */
export function switchingProtocols(accept: string, protocol?: string): string {
  const chosen = protocol === undefined ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${chosen}\r\n`;
}

/**
 * Wraps an upgraded connection. Each chunk of output is one message. The input has to be read: with
 * it the client's pings are answered, and its closing is noticed.
 *
 * @param opcode of the messages that are sent
 */
export function webSocketStream(connection: ByteConnection, opcode: number): ByteConnection {
  const { output: socket } = connection;
  const output = new Writable({
    write: (chunk: Buffer, _encoding, written) => {
      if (socket.write(frameOf(opcode, chunk))) written();
      else socket.once('drain', written);
    },
    final: (ended) => {
      socket.end(closeFrame(NORMAL), () => ended());
    },
    destroy: (error, destroyed) => {
      socket.destroy();
      destroyed(error);
    },
  });
  socket.once('close', () => output.destroy());
  async function* input(): AsyncGenerator<Uint8Array> {
    yield* messageBytes(connection.input, replyTo(socket));
    // A WebSocket is closed in both directions at once.
    if (!output.writableEnded) socket.end(() => output.destroy());
  }
  return { input: input(), output };
}

/** A client that takes nothing gets no answers, which would pile up here. */
export function replyTo(socket: Writable): (frame: Buffer) => void {
  return (frame) => {
    if (socket.writable && !socket.writableNeedDrain) socket.write(frame);
  };
}
