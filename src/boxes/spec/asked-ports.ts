/**
 * The ports that a box is to publish: those that were named, and with `-P` all others that it
 * exposes.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { BoxDefinition, Port } from '../record/box.ts';

/** Each takes a socket of the host while the box runs. */
const MAX_PORTS = 1024;

/**
 * @throws A3sError `unsupported-option` for an exposed port that cannot be published;
 * `invalid-argument` for a host port that is to lead to two ports of the box, and for too
 * many ports
 */
export function askedPorts({
  network,
  ports,
  publishAll,
  exposedPorts,
}: Pick<BoxDefinition, 'network' | 'ports' | 'publishAll' | 'exposedPorts'>): readonly Port[] {
  // As in Docker, nothing is published of a box without a network.
  if (network === 'none') return ports;
  checkLeadOnce(ports);
  if (publishAll !== true) return ports;
  const named = new Set(ports.map(({ boxPort, protocol }) => `${boxPort}/${protocol}`));
  const others = exposedPorts.filter((name) => !named.has(name)).map(freePort);
  checkCount(ports.length + others.length);
  return [...ports, ...others];
}

/** @throws A3sError `invalid-argument` for more ports than a box publishes */
export function checkCount(count: number): void {
  if (count <= MAX_PORTS) return;
  throw new A3sError('invalid-argument', `Cannot publish more than ${MAX_PORTS} ports`);
}

/**
 * Ports that are chosen at the start do not count here.
 *
 * @throws A3sError `invalid-argument`
 */
export function checkLeadOnce(ports: readonly Port[]): void {
  const named = new Map<string, Port>();
  for (const port of ports) {
    if (port.hostPort === 0 || port.hostPortEnd !== undefined) continue;
    const key = `${port.hostPort}/${port.protocol}`;
    const other = named.get(key);
    if (other !== undefined && leadElsewhere(other, port)) throw twoBoxPorts(port, other);
    named.set(key, port);
  }
}

/** Whether one port of the host would lead to two ports of a box. */
export function leadElsewhere(one: Port, other: Port): boolean {
  const { protocol, hostPort, boxPort } = one;
  const isSame = other.protocol === protocol && other.hostPort === hostPort;
  return isSame && other.boxPort !== boxPort;
}

/** Why such ports are refused. */
export function twoBoxPorts({ protocol, hostPort, boxPort }: Port, other: Port): A3sError {
  return new A3sError(
    'invalid-argument',
    `Cannot publish port ${hostPort}/${protocol} of the host as the ports ${other.boxPort} and ${boxPort} of the box: it leads to one of them, at all addresses`,
    { remedy: 'Choose another host port for one of them.' },
  );
}

function freePort(name: string): Port {
  const [, number, protocol] = /^(\d{1,5})\/(tcp|udp)$/.exec(name) ?? [];
  if (number !== undefined && (protocol === 'tcp' || protocol === 'udp')) {
    return { boxPort: Number(number), protocol, hostIp: '', hostPort: 0 };
  }
  throw new A3sError(
    'unsupported-option',
    `Cannot publish all ports: ${name.slice(0, 64)} is exposed, and is not one port of TCP or UDP`,
    { remedy: 'Leave -P out, and publish ports by their numbers.' },
  );
}
