/**
 * Launches a microVM on the ports that a box publishes.
 *
 * @module
 */
import { createServer } from 'node:net';
import { linkedSignal } from '../../async/linked-signal.ts';
import { settleAll } from '../../async/settle-all.ts';
import type { Vm, VmSpec } from '../../engine/engine.ts';
import { A3sError } from '../../errors.ts';
import type { Box, BoxState, Port } from '../record/box.ts';
import type { BoxStore } from '../record/store.ts';
import type { Services } from '../services/services.ts';
import { type JoinedNetwork, joinNetwork, type NetworkHost } from './join-network.ts';

const EVERY_ADDRESS = '0.0.0.0';
/** The most launches of one start. */
const ATTEMPTS = 3;

/** What a launch on ports needs of the server. `shutdown` ends it. */
export type PortsHost = NetworkHost &
  Pick<Services, 'engine' | 'shutdown'> & {
    /** Where the microVM and its ports are recorded. */
    readonly store: Pick<BoxStore, 'amend'>;
  };

/** What a launch needs, once its ports have their real numbers. */
export interface LaunchPlan<Disks, Description extends { readonly vm: VmSpec }> {
  /** What is recorded of the microVM. */
  readonly state: Partial<Omit<BoxState, 'status' | 'ports'>>;
  /** The disks, which are made while the ports are chosen. */
  readonly disks: Promise<Disks>;
  readonly describe: (ports: readonly Port[], disks: Disks, joined: JoinedNetwork) => Description;
}

/**
 * Chooses the ports and launches the microVM. A port that was free when it was chosen may be taken
 * when it is bound; then another one is chosen.
 *
 * Ports and microVM are on record before anything runs or is bound. So a server that takes over
 * finds the microVM and knows its ports.
 */
export async function launchOnPorts<Disks, Description extends { readonly vm: VmSpec }>(
  rt: PortsHost,
  box: Box,
  { state, disks: made, describe }: LaunchPlan<Disks, Description>,
): Promise<{
  readonly vm: Vm;
  readonly disks: Disks;
  readonly description: Description;
}> {
  const { id, ports: asked } = box.definition;
  for (let attempt = 1; ; attempt += 1) {
    // An attempt that failed has its ports until then.
    if (box.definition.network === 'user') await rt.hostNetworks.detach(id);
    const [ports, disks] = await settleAll([resolvePorts(asked), made]);
    rt.store.amend(id, { ...state, ports });
    const shutdown = linkedSignal(rt.shutdown);
    let joined: JoinedNetwork | undefined;
    try {
      joined = await joinNetwork(rt, box, ports);
      const description = describe(ports, disks, joined);
      const vm = await rt.engine.launch(description.vm, shutdown.signal);
      return { vm, disks, description };
    } catch (error) {
      if (!mayTryOtherPorts(error, asked, attempt)) throw error;
    } finally {
      joined?.release();
      shutdown.unlink();
    }
  }
}

/**
 * Gives every port its host address and number, and checks that it is free now. The engine binds it
 * later, and reports a port that was taken meanwhile.
 *
 * @throws A3sError `port-in-use`, `invalid-argument` for an address that is not the host's
 */
async function resolvePorts(ports: readonly Port[]): Promise<Port[]> {
  const resolved: Port[] = [];
  for (const { boxPort, hostIp, hostPort } of ports) {
    const address = hostIp === '' ? EVERY_ADDRESS : hostIp;
    resolved.push({ boxPort, hostIp: address, hostPort: await probe(address, hostPort) });
  }
  return resolved;
}

/**
 * Whether a failed launch may succeed on other ports.
 *
 * @param attempt the number of the failed attempt, from 1
 */
function mayTryOtherPorts(error: unknown, asked: readonly Port[], attempt: number): boolean {
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
