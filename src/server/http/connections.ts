/**
 * All connections of the server: limits their number, and detects clients that are gone.
 *
 * @module
 */
import type { Socket } from 'node:net';

/** The interval between two checks of a client that has ended its side. */
const LOOK_MS = 1000;
const NOTHING = Buffer.alloc(0);

export class Connections {
  readonly #sockets = new Set<Socket>();
  readonly #beyond = new WeakSet<Socket>();
  readonly #served: number;
  readonly #refused: number;

  /**
   * @param served how many are served at once
   * @param refused how many more get a refusal; connections beyond both are closed
   */
  constructor(served: number, refused: number) {
    this.#served = served;
    this.#refused = refused;
  }

  add(socket: Socket): void {
    // The code that uses the socket gets its errors. This listener only keeps them from ending the
    // process.
    socket.on('error', () => undefined);
    const { size } = this.#sockets;
    if (size >= this.#served) this.#beyond.add(socket);
    if (size >= this.#served + this.#refused) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('end', () => watch(socket));
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** Whether the connection came when the limit was reached. */
  isBeyond(socket: Socket): boolean {
    return this.#beyond.has(socket);
  }

  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/**
 * A client that has ended its side may wait for answers, or be gone; a reader cannot tell them
 * apart. A write of nothing fails for the latter alone.
 */
function watch(socket: Socket): void {
  const look = (): void => {
    if (socket.writable && socket.writableLength === 0) socket.write(NOTHING);
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  socket.once('close', () => clearInterval(timer));
  look();
}
