/**
 * A stream of HTTP/2 that gets bytes alone. Node’s own (20.20) garbles what is written to it as
 * text and as bytes at once, as Node's HTTP server writes a head with the beginning of a body.
 *
 * @module
 */
import { Duplex } from 'node:stream';

/** The stream as another one: what happens to either happens to both. */
export function bytesOnly(stream: Duplex): Duplex {
  const outer = new Duplex({
    read: () => {
      stream.resume();
    },
    // Text is bytes here, one write after the other.
    write: (chunk: Buffer, _, done) => {
      stream.write(chunk, done);
    },
    final: (done) => {
      stream.end(done);
    },
    destroy: (error, done) => {
      stream.destroy();
      done(error);
    },
  });
  stream.on('data', (chunk: Buffer) => {
    if (!outer.push(chunk)) stream.pause();
  });
  stream.once('end', () => outer.push(null));
  stream.once('error', (error) => outer.destroy(error));
  stream.once('close', () => {
    // After its end, what has not been read yet still can be.
    if (!stream.readableEnded) outer.destroy();
  });
  return outer;
}
