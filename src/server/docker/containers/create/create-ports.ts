/**
 * The published ports of Docker's create document.
 *
 * @module
 */
import { isIP } from 'node:net';
import type * as z from 'zod';
import type { Port } from '../../../../boxes/record/box.ts';
import { RATLS_PORT } from '../../../../boxes/record/confidential-request.ts';
import { checkCount } from '../../../../boxes/spec/asked-ports.ts';
import type { PortBindings } from '../../../../docker-api/containers/ports.ts';
import { A3sError } from '../../../../errors.ts';
import { parseAddress6 } from '../../../../networks/ipv6.ts';
import { unsupported } from './unsupported-options.ts';

/** @throws A3sError `unsupported-option` for a range, `invalid-argument` */
export function checkExposed(key: string): void {
  if (isRatls(key) || portNumber(key.split('/')[0] ?? '', key) !== 0) return;
  throw new A3sError('invalid-argument', `Invalid containerPort: ${key}`);
}

/** @throws A3sError `unsupported-option`, `invalid-argument` */
export function portBindings(bindings: z.infer<typeof PortBindings>): Port[] {
  const ports: Port[] = [];
  for (const [key, hosts] of Object.entries(bindings)) {
    const [number = '', protocol = 'tcp'] = key.split('/');
    if (protocol !== 'tcp' && protocol !== 'udp') {
      throw unsupported('HostConfig.PortBindings', `${key} is neither TCP nor UDP`);
    }
    const boxPort = isRatls(key) ? RATLS_PORT : portNumber(number, key);
    if (boxPort === 0) throw new A3sError('invalid-argument', `Invalid containerPort: ${key}`);
    for (const { HostIp, HostPort } of hosts ?? []) {
      if (HostIp !== '' && isIP(HostIp) === 0) {
        throw new A3sError('invalid-argument', `Invalid IP address: ${HostIp}`);
      }
      if (isIP(HostIp) === 6 && parseAddress6(HostIp) === undefined) {
        throw unsupported(
          'HostConfig.PortBindings',
          `${HostIp} has a zone, or an IPv4 address in it`,
        );
      }
      ports.push({ boxPort, protocol, hostIp: HostIp, ...hostPorts(HostPort) });
    }
  }
  checkCount(ports.length);
  return ports;
}

/** One port, or a range of which the first free one is chosen; an empty text leaves the choice. */
function hostPorts(text: string): Pick<Port, 'hostPort' | 'hostPortEnd'> {
  const [first = '', last, ...more] = (text || '0').split('-');
  const hostPort = portNumber(first, text);
  if (last === undefined) return { hostPort };
  const hostPortEnd = portNumber(last, text);
  if (more.length === 0 && hostPort > 0 && hostPortEnd >= hostPort) {
    return hostPort === hostPortEnd ? { hostPort } : { hostPort, hostPortEnd };
  }
  throw new A3sError('invalid-argument', `Invalid hostPort: ${text}`);
}

function portNumber(digits: string, shown: string): number {
  if (digits.includes('-')) throw unsupported('a range of ports', shown);
  const number = /^\d{1,5}$/.test(digits) ? Number(digits) : Number.NaN;
  if (number <= 65_535) return number;
  throw new A3sError('invalid-argument', `Invalid hostPort: ${shown}`);
}

export function isRatls(key: string): boolean {
  return key.split('/')[0] === 'ratls';
}

export function withProtocol(key: string): string {
  if (isRatls(key)) return `${RATLS_PORT}/tcp`;
  return key.includes('/') ? key : `${key}/tcp`;
}
