/**
 * Leads datagrams to a port of the loopback, and answers back to who has sent them.
 *
 * @module
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { RelayedPort } from '../relayed-port.ts';
import { networkOf } from './client-network.ts';

const LOOPBACK = '127.0.0.1';

interface Flow {
  readonly socket: Socket;
  readonly ready: Promise<unknown>;
  timer: NodeJS.Timeout;
}

export interface FlowLimits {
  /**
   * Senders of a port at a time. Of the network with most of them the one that was silent longest
   * makes room.
   */
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

/** Where a sender is found. */
interface Place {
  readonly network: string;
  readonly key: string;
}

class Flows {
  readonly #server: Socket;
  readonly #to: number;
  readonly #limits: FlowLimits;
  /** By network and sender, the one that was silent longest first. */
  readonly #networks = new Map<string, Map<string, Flow>>();
  #count = 0;

  constructor(server: Socket, to: number, limits: FlowLimits) {
    this.#server = server;
    this.#to = to;
    this.#limits = limits;
  }

  send(message: Buffer, sender: Sender): void {
    const at = { network: networkOf(sender.address), key: `${sender.address} ${sender.port}` };
    const flow = this.#networks.get(at.network)?.get(at.key) ?? this.#open(at, sender);
    this.#touch(at, flow);
    flow.ready.then(
      () => flow.socket.send(message, () => undefined),
      () => this.#close(at, flow),
    );
  }

  #open(at: Place, { address, port }: Sender): Flow {
    if (this.#count >= this.#limits.flows) this.#makeRoom(at.network);
    const flows = this.#networks.get(at.network) ?? new Map<string, Flow>();
    this.#networks.set(at.network, flows);
    const socket = createSocket('udp4');
    const flow = {
      socket,
      ready: once(socket, 'connect'),
      timer: setTimeout(() => this.#close(at, flow), this.#limits.idleMs),
    };
    // It is closed already, or the box refused a datagram, as it may any.
    socket.on('error', () => undefined);
    socket.on('message', (answer) => {
      this.#touch(at, flow);
      this.#server.send(answer, port, address, () => undefined);
    });
    socket.connect(this.#to, LOOPBACK);
    flows.set(at.key, flow);
    this.#count += 1;
    return flow;
  }

  /** One with as many senders as others makes room for its own. */
  #makeRoom(own: string): void {
    let [network, flows] = [own, this.#networks.get(own)];
    for (const [other, each] of this.#networks) {
      if (each.size > (flows?.size ?? 0)) [network, flows] = [other, each];
    }
    const [oldest] = flows ?? [];
    if (oldest !== undefined) this.#close({ network, key: oldest[0] }, oldest[1]);
  }

  #touch({ network, key }: Place, flow: Flow): void {
    const flows = this.#networks.get(network);
    // An answer may come to one that has made room.
    if (flows?.get(key) !== flow) return;
    flows.delete(key);
    flows.set(key, flow);
    flow.timer.refresh();
  }

  #close({ network, key }: Place, flow: Flow): void {
    const flows = this.#networks.get(network);
    if (flows?.get(key) !== flow) return;
    flows.delete(key);
    if (flows.size === 0) this.#networks.delete(network);
    this.#count -= 1;
    clearTimeout(flow.timer);
    flow.socket.close();
  }
}
