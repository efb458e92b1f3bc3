/**
 * All connections of the server: how many there may be, and whether anybody is still at the other end.
 *
 * @module
 */
import type { Socket } from 'node:net';

/** Between two looks at a client that has ended its side. */
const LOOK_MS = 1000;
const NOTHING = Buffer.alloc(0);

export class Connections {
  readonly #sockets = new Set<Socket>();
  readonly #beyond = new WeakSet<Socket>();
  readonly #served: number;
  readonly #refused: number;

  /**
   * @param served how many are served at once
   * @param refused how many more are told so; what comes on top is hung up on
   */
  constructor(served: number, refused: number) {
    this.#served = served;
    this.#refused = refused;
  }

  add(socket: Socket): void {
    // Whoever uses the socket hears of its errors; here they only must not end the process.
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

  /** Whether the connection came when there were enough. */
  isBeyond(socket: Socket): boolean {
    return this.#beyond.has(socket);
  }

  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/**
 * A client that has sent all it has to say may wait for answers, or be gone; both look alike to who reads. A write of
 * nothing fails for the latter alone.
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
