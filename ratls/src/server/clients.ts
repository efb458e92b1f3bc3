/**
 * Limits what one client can hold of a server, by its address: connections from before their
 * handshake, and challenges across all its connections. And bounds all connections, so that those
 * which ask for nothing lock nobody out.
 *
 * @module
 */
import type { Socket } from 'node:net';
import { clientOf } from './client-address.ts';
import { RateLimit } from './rate-limit.ts';

export interface ClientLimits {
  readonly connections: number;
  /** A client that ends its connection and opens another one has no more for that. */
  readonly attestations: { readonly burst: number; readonly perSecond: number };
}

/** How many clients without a connection are remembered. */
const MAX_GONE = 4096;

interface Client {
  connections: number;
  readonly attestations: RateLimit;
}

type Ends = Pick<Socket, 'remoteAddress' | 'remotePort'>;

export class Clients {
  readonly #limits: ClientLimits;
  readonly #most: number;
  readonly #present = new Map<string, Client>();
  /** The oldest first. */
  readonly #gone = new Map<string, Client>();
  /** Connections without a request, the oldest first. */
  readonly #silent = new Map<string, Socket>();
  #connections = 0;

  /** @param most connections of all clients */
  constructor(limits: ClientLimits, most: number) {
    this.#limits = limits;
    this.#most = most;
  }

  /**
   * Counts the connection until it closes; ends it where its client has as many as it may. Where
   * all are taken, the oldest without a request gives its place, and there has to be one.
   */
  admit(socket: Socket): void {
    const name = clientOf(socket.remoteAddress);
    const client = this.#arrived(name);
    if (client.connections >= this.#limits.connections || !this.#makeRoom()) {
      if (client.connections === 0) this.#left(name, client);
      socket.destroy();
      return;
    }
    client.connections += 1;
    this.#connections += 1;
    const ends = endsOf(socket);
    this.#silent.set(ends, socket);
    socket.once('close', () => {
      if (this.#silent.get(ends) === socket) this.#silent.delete(ends);
      this.#connections -= 1;
      client.connections -= 1;
      if (client.connections === 0) this.#left(name, client);
    });
  }

  /** A request came over this connection. */
  requested(socket: Ends | undefined): void {
    if (socket !== undefined) this.#silent.delete(endsOf(socket));
  }

  /** Whether one more challenge of a connected client is answered. */
  takeAttestation(address: string | undefined): boolean {
    return this.#present.get(clientOf(address))?.attestations.take() ?? false;
  }

  #makeRoom(): boolean {
    if (this.#connections < this.#most) return true;
    const [oldest] = this.#silent;
    if (oldest === undefined) return false;
    const [ends, socket] = oldest;
    this.#silent.delete(ends);
    socket.destroy();
    return true;
  }

  #arrived(name: string): Client {
    const attestations = () => new RateLimit(this.#limits.attestations);
    const known = this.#present.get(name) ?? this.#gone.get(name);
    const client = known ?? { connections: 0, attestations: attestations() };
    this.#gone.delete(name);
    this.#present.set(name, client);
    return client;
  }

  #left(name: string, client: Client): void {
    this.#present.delete(name);
    this.#gone.set(name, client);
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > MAX_GONE && oldest !== undefined) this.#gone.delete(oldest);
  }
}

/** The same for a socket and for the TLS socket on it. */
function endsOf({ remoteAddress, remotePort }: Ends): string {
  return `${remoteAddress} ${remotePort}`;
}
