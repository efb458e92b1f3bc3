/**
 * Finds out whether a port of the host can be bound, by binding it.
 *
 * @module
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { A3sError } from '../../errors.ts';
import type { Port } from '../record/box.ts';

/**
 * Gives every port its host address and number, and checks that it is free now. The engine binds it
 * later, and reports a port that was taken meanwhile.
 *
 * @throws A3sError `port-in-use`, `invalid-argument` for an address that is not the host's
 */
export async function resolvePorts(ports: readonly Port[]): Promise<Port[]> {
  const resolved: Port[] = [];
  for (const { boxPort, protocol, hostIp, hostPort, hostPortEnd = hostPort } of ports) {
    const address = hostIp === '' ? EVERY_ADDRESS : hostIp;
    const found = await firstFree({ protocol, hostIp: address, hostPort, hostPortEnd }, resolved);
    resolved.push({ boxPort, protocol, hostIp: address, hostPort: found });
  }
  return resolved;
}

const EVERY_ADDRESS = '0.0.0.0';

async function firstFree(
  range: Pick<Port, 'protocol' | 'hostIp' | 'hostPort'> & { readonly hostPortEnd: number },
  chosen: readonly Port[],
): Promise<number> {
  const { protocol, hostIp, hostPort, hostPortEnd } = range;
  for (let port = hostPort; port < hostPortEnd; port += 1) {
    const isChosen = chosen.some((each) => each.hostPort === port && each.protocol === protocol);
    if (isChosen) continue;
    try {
      return await probe(protocol, hostIp, port);
    } catch (error) {
      if (!(error instanceof A3sError) || error.code !== 'port-in-use') throw error;
    }
  }
  return await probe(protocol, hostIp, hostPortEnd);
}

/** @returns the number of the port; a free one for 0 */
function probe(protocol: Port['protocol'], host: string, port: number): Promise<number> {
  return protocol === 'udp' ? probeUdp(host, port) : probeTcp(host, port);
}

function probeTcp(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => reject(explain(error, host, port)));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(bound));
    });
  });
}

function probeUdp(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (error) => {
      socket.close();
      reject(explain(error, host, port));
    });
    socket.bind({ address: host, port, exclusive: true }, () => {
      const { port: bound } = socket.address();
      socket.close(() => resolve(bound));
    });
  });
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
