/**
 * Limits what one client can hold of a server, by its address: connections from before their
 * handshake, and challenges across all its connections.
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

export class Clients {
  readonly #limits: ClientLimits;
  readonly #present = new Map<string, Client>();
  /** The oldest first. */
  readonly #gone = new Map<string, Client>();

  constructor(limits: ClientLimits) {
    this.#limits = limits;
  }

  /** Counts the connection until it closes; ends it where its client has as many as it may. */
  admit(socket: Socket): void {
    const name = clientOf(socket.remoteAddress);
    const client = this.#arrived(name);
    if (client.connections >= this.#limits.connections) {
      socket.destroy();
      return;
    }
    client.connections += 1;
    socket.once('close', () => {
      client.connections -= 1;
      if (client.connections === 0) this.#left(name, client);
    });
  }

  /** Whether one more challenge of a connected client is answered. */
  takeAttestation(address: string | undefined): boolean {
    return this.#present.get(clientOf(address))?.attestations.take() ?? false;
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
