/**
 * Leads datagrams to a port of the loopback, and answers back to who has sent them.
 *
 * @module
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { RelayedPort } from '../relayed-port.ts';

const LOOPBACK = '127.0.0.1';

interface Flow {
  readonly socket: Socket;
  readonly ready: Promise<unknown>;
  timer: NodeJS.Timeout;
}

export interface FlowLimits {
  /** Senders of a port at a time; the one that was silent longest makes room. */
  readonly flows: number;
  /** After which a sender that was silent is another one. */
  readonly idleMs: number;
}

/** Resolves once the port is open. */
export async function relayUdp(
  { hostIp, hostPort, to }: Pick<RelayedPort, 'hostIp' | 'hostPort' | 'to'>,
  limits: FlowLimits,
): Promise<void> {
  const server = createSocket({ type: 'udp6', ipv6Only: true });
  const flows = new Flows(server, to, limits);
  server.on('message', (message, { address, port }) => {
    // Nothing can be sent back to port 0: Node throws.
    if (port !== 0) flows.send(message, { address, port });
  });
  server.bind({ address: hostIp, port: hostPort, exclusive: true });
  await once(server, 'listening');
  // What could not be sent to a client is lost, as datagrams are.
  server.on('error', () => undefined);
}

interface Sender {
  readonly address: string;
  readonly port: number;
}

class Flows {
  readonly #server: Socket;
  readonly #to: number;
  readonly #limits: FlowLimits;
  /** By the sender, the one that was silent longest first. */
  readonly #flows = new Map<string, Flow>();

  constructor(server: Socket, to: number, limits: FlowLimits) {
    this.#server = server;
    this.#to = to;
    this.#limits = limits;
  }

  send(message: Buffer, sender: Sender): void {
    const key = `${sender.address} ${sender.port}`;
    const flow = this.#flows.get(key) ?? this.#open(key, sender);
    this.#touch(key, flow);
    flow.ready.then(
      () => flow.socket.send(message, () => undefined),
      () => this.#close(key, flow),
    );
  }

  #open(key: string, { address, port }: Sender): Flow {
    if (this.#flows.size >= this.#limits.flows) {
      const [oldest] = this.#flows;
      if (oldest !== undefined) this.#close(...oldest);
    }
    const socket = createSocket('udp4');
    const flow = {
      socket,
      ready: once(socket, 'connect'),
      timer: setTimeout(() => this.#close(key, flow), this.#limits.idleMs),
    };
    // It is closed already, or the box refused a datagram, as it may any.
    socket.on('error', () => undefined);
    socket.on('message', (answer) => {
      this.#touch(key, flow);
      this.#server.send(answer, port, address, () => undefined);
    });
    socket.connect(this.#to, LOOPBACK);
    return flow;
  }

  #touch(key: string, flow: Flow): void {
    this.#flows.delete(key);
    this.#flows.set(key, flow);
    flow.timer.refresh();
  }

  #close(key: string, flow: Flow): void {
    if (this.#flows.get(key) !== flow) return;
    this.#flows.delete(key);
    clearTimeout(flow.timer);
    flow.socket.close();
  }
}
