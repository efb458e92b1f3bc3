/**
 * A byte stream between a fake agent and its host.
 *
 * @module
 */
import { Duplex } from 'node:stream';

/**
 * One end. A write is done at once, as with the kernel's socket buffers: two HTTP/2 connections of
 * Node that each wait for the other to take a write stop reading, and block for ever. What lies in
 * between is bounded by their flow control.
 */
class End extends Duplex {
  peer: End | undefined;
  /** As a socket has them. */
  bytesRead = 0;
  bytesWritten = 0;

  override _read(): void {
    // Data is pushed as it comes.
  }

  override _write(chunk: Buffer, _: string, callback: (error?: Error | null) => void): void {
    this.bytesWritten += chunk.length;
    if (this.peer?.readable === true) {
      this.peer.bytesRead += chunk.length;
      this.peer.push(chunk);
    }
    callback();
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.peer?.readable === true) this.peer.push(null);
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    setImmediate(() => this.peer?.destroy());
    callback(error);
  }
}

/** Two ends; as with a socket, the end of one is the end of the other. */
export function fakeStreams(): [host: End, guest: End] {
  const host = new End();
  const guest = new End();
  host.peer = guest;
  guest.peer = host;
  return [host, guest];
}

/** `stream` with the buffers that it may lack. */
export function buffered(stream: Duplex): Duplex {
  const [outer, inner] = fakeStreams();
  stream.pipe(outer).pipe(stream);
  stream.on('error', () => stream.destroy());
  stream.on('close', () => outer.destroy());
  outer.on('close', () => stream.destroy());
  return inner;
}
