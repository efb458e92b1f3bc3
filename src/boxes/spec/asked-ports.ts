/**
 * The ports that a box is to publish: those that were named, and with `-P` all others that it
 * exposes.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { BoxDefinition, Port } from '../record/box.ts';

/** @throws A3sError `unsupported-option` for an exposed port that cannot be published */
export function askedPorts({
  network,
  ports,
  publishAll,
  exposedPorts,
}: Pick<BoxDefinition, 'network' | 'ports' | 'publishAll' | 'exposedPorts'>): readonly Port[] {
  // As in Docker, nothing is published of a box without a network.
  if (publishAll !== true || network === 'none') return ports;
  const named = new Set(ports.map(({ boxPort, protocol }) => `${boxPort}/${protocol}`));
  const others = exposedPorts.filter((name) => !named.has(name)).map(freePort);
  return [...ports, ...others];
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
