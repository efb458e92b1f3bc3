/**
 * A connection to a process in the messages of a WebSocket.
 *
 * @module
 */
import { Writable } from 'node:stream';
import type { HijackedStream } from '../connection.ts';
import { BINARY, closeFrame, frameOf, messageBytes, NORMAL, TEXT } from './frames.ts';

/** Docker's API version from which output is in binary messages. */
const BINARY_SINCE = 28;

/**
 * Wraps an upgraded connection. Each chunk of output is one message. The input has to be read: with
 * it the client's pings are answered, and its closing is noticed.
 *
 * @param accept the value of `Sec-WebSocket-Accept`
 */
export function webSocketStream(
  connection: HijackedStream,
  accept: string,
  apiMinor: number,
): HijackedStream {
  const { output: socket } = connection;
  const opcode = apiMinor >= BINARY_SINCE ? BINARY : TEXT;
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
  const reply = (frame: Buffer): void => {
    // A client that takes nothing gets no answers, which would pile up here.
    if (socket.writable && !socket.writableNeedDrain) socket.write(frame);
  };
  async function* input(): AsyncGenerator<Uint8Array> {
    yield* messageBytes(connection.input, reply);
    // A WebSocket is closed in both directions at once.
    if (!output.writableEnded) socket.end(() => output.destroy());
  }
  return {
    input: input(),
    output,
    begin: () => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
    },
  };
}
