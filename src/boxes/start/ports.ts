/**
 * From the ports that were asked for to the ones that are bound.
 *
 * @module
 */
import { createServer } from 'node:net';
import { A3sError } from '../../errors.ts';
import type { Port } from '../record/box.ts';

const EVERY_ADDRESS = '0.0.0.0';
/** Launches of one start. */
const ATTEMPTS = 3;

/**
 * Gives every port its host address and number, and checks that it is free now. The engine binds
 * later; that it still can is the engine's to say.
 *
 * @throws A3sError `port-in-use`, `invalid-argument` for an address that is not the host's
 */
export async function resolvePorts(ports: readonly Port[]): Promise<Port[]> {
  const resolved: Port[] = [];
  for (const { boxPort, hostIp, hostPort } of ports) {
    const address = hostIp === '' ? EVERY_ADDRESS : hostIp;
    resolved.push({ boxPort, hostIp: address, hostPort: await probe(address, hostPort) });
  }
  return resolved;
}

/**
 * Whether a launch that failed is worth another one: a port that was free when it was chosen may be taken when it is
 * bound, and then another one is chosen.
 *
 * @param attempt the number of the one that failed, from 1
 */
export function mayTryOtherPorts(error: unknown, asked: readonly Port[], attempt: number): boolean {
  const busy = error instanceof A3sError && error.code === 'port-in-use';
  return busy && asked.some(({ hostPort }) => hostPort === 0) && attempt < ATTEMPTS;
}

function probe(host: string, port: number): Promise<number> {
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
