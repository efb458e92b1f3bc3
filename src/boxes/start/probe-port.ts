/**
 * Finds out whether a port of the host can be bound, by binding it.
 *
 * @module
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { settleAll } from '../../async/settle-all.ts';
import { A3sError } from '../../errors.ts';
import type { Port } from '../record/box.ts';
import { leadElsewhere, twoBoxPorts } from '../spec/asked-ports.ts';

/**
 * Gives every port its host address and number, and checks that it is free now. The engine binds it
 * later, and reports a port that was taken meanwhile.
 *
 * A port of the host leads to one port of the box, whatever the address: passt and pasta keep one
 * box port for each host port of a protocol, so a second one would take the place of the first.
 *
 * @throws A3sError `port-in-use`; `invalid-argument` for an address that is not the host's, and for
 * a host port that is to lead to two ports of the box
 */
export async function resolvePorts(ports: readonly Port[]): Promise<Port[]> {
  const resolved = new Map<Port, Port>();
  const probes = new Probes();
  try {
    // What names one port has no choice, so it comes first.
    for (const asked of [...ports].sort((a, b) => choiceOf(a) - choiceOf(b))) {
      const { boxPort, protocol, hostIp } = asked;
      const address = hostIp === '' ? EVERY_ADDRESS : hostIp;
      const chosen = [...resolved.values()];
      const hostPort = await firstFree(probes, { ...asked, hostIp: address }, chosen);
      resolved.set(asked, { boxPort, protocol, hostIp: address, hostPort });
    }
  } finally {
    await probes.close();
  }
  return ports.flatMap((asked) => resolved.get(asked) ?? []);
}

const EVERY_ADDRESS = '0.0.0.0';
/** How often the kernel chooses a port before it is given up. */
const CHOICES = 16;

function choiceOf({ hostPort, hostPortEnd }: Port): number {
  if (hostPort === 0) return 2;
  return hostPortEnd === undefined ? 0 : 1;
}

async function firstFree(probes: Probes, asked: Port, chosen: readonly Port[]): Promise<number> {
  const { protocol, hostIp, hostPort, hostPortEnd = hostPort } = asked;
  if (hostPort === 0) return await freePort(probes, asked, chosen);
  for (let port = hostPort; port < hostPortEnd; port += 1) {
    const isChosen = chosen.some((each) => each.hostPort === port && each.protocol === protocol);
    if (isChosen) continue;
    try {
      return await probes.open(protocol, hostIp, port);
    } catch (error) {
      if (!(error instanceof A3sError) || error.code !== 'port-in-use') throw error;
    }
  }
  const last = { ...asked, hostPort: hostPortEnd };
  const other = chosen.find((each) => leadElsewhere(each, last));
  if (other !== undefined) throw twoBoxPorts(last, other);
  return await probes.open(protocol, hostIp, hostPortEnd);
}

/** The kernel chooses by address, so what it chooses may lead elsewhere at another one. */
async function freePort(probes: Probes, asked: Port, chosen: readonly Port[]): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const hostPort = await probes.open(asked.protocol, asked.hostIp, 0);
    const other = chosen.find((each) => leadElsewhere(each, { ...asked, hostPort }));
    if (other === undefined) return hostPort;
    if (attempt === CHOICES) throw twoBoxPorts({ ...asked, hostPort }, other);
  }
}

/** Sockets that are held until all ports are chosen, so that the kernel chooses none twice. */
class Probes {
  readonly #closers: (() => Promise<void>)[] = [];

  /** @returns the number of the port; a free one for 0 */
  open(protocol: Port['protocol'], host: string, port: number): Promise<number> {
    return protocol === 'udp' ? this.#openUdp(host, port) : this.#openTcp(host, port);
  }

  async close(): Promise<void> {
    await settleAll(this.#closers.splice(0).map((close) => close()));
  }

  #openTcp(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const server = createServer();
      server.once('error', (error) => reject(explain(error, host, port)));
      // IPv4 of the same port is another socket's.
      server.listen({ host, port, exclusive: true, ipv6Only: host.includes(':') }, () => {
        const address = server.address();
        this.#closers.push(() => new Promise((done) => server.close(() => done())));
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  #openUdp(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const isIpv6 = host.includes(':');
      const socket = createSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6 });
      socket.once('error', (error) => {
        socket.close();
        reject(explain(error, host, port));
      });
      socket.bind({ address: host, port, exclusive: true }, () => {
        this.#closers.push(() => new Promise((done) => socket.close(() => done())));
        resolve(socket.address().port);
      });
    });
  }
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): A3sError {
  const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new A3sError('port-in-use', `Bind for ${where} failed: port is already allocated`, {
        cause: error,
        remedy: 'Choose another host port, or stop what uses it.',
      });
    case 'EACCES':
      return new A3sError('invalid-argument', `Bind for ${where} failed: permission denied`, {
        cause: error,
        remedy: 'Choose a host port above 1023, or run the server as root.',
      });
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'EINVAL':
      return new A3sError('invalid-argument', `Bind for ${where} failed: no such address here`, {
        cause: error,
        remedy: 'Choose an address of this host.',
      });
    default:
      return new A3sError('internal', `Bind for ${where} failed: ${error.message}`, {
        cause: error,
      });
  }
}
