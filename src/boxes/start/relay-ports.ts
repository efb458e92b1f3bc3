/**
 * Chooses the ports of a start, and how those at IPv6 addresses lead to a box by IPv4.
 *
 * @module
 */
import { isIPv6 } from 'node:net';
import { A3sError } from '../../errors.ts';
import type { Port } from '../record/box.ts';
import { resolvePorts } from './probe-port.ts';

const LOOPBACK = '127.0.0.1';
const EVERY_ADDRESS6 = '::';
/** How often a port is chosen before it is given up. */
const CHOICES = 16;

/**
 * Gives every port its host address and number, and checks that it is free now.
 *
 * @param isRelayed the box has no IPv6 where its ports are published
 * @throws A3sError as `resolvePorts`
 */
export async function choosePorts(asked: readonly Port[], isRelayed: boolean): Promise<Port[]> {
  const chosen = await resolvePorts(asked);
  // As in Docker, a port at no address is at all addresses of both families, if the host has both.
  const both = isRelayed ? [] : chosen.filter((_, at) => asked[at]?.hostIp === '');
  const second = await freeIfIpv6(both.map((port) => ({ ...port, hostIp: EVERY_ADDRESS6 })));
  return await relayPorts([...chosen, ...second], isRelayed);
}

async function freeIfIpv6(ports: readonly Port[]): Promise<readonly Port[]> {
  try {
    return await resolvePorts(ports);
  } catch (error) {
    if (error instanceof A3sError && error.code === 'invalid-argument') return [];
    throw error;
  }
}

/**
 * @param ports with their real numbers
 * @param isRelayed the box has no IPv6 where its ports are published
 * @returns them, with ports of the loopback that are free now, or without any
 */
export async function relayPorts(ports: readonly Port[], isRelayed: boolean): Promise<Port[]> {
  const direct = ports.map(({ relay: _, ...port }) => port);
  const wanted = direct.filter(({ hostIp }) => isRelayed && isIPv6(hostIp));
  if (wanted.length === 0) return direct;
  const asked = wanted.map(({ boxPort, protocol }) => ({
    ...{ boxPort, protocol, hostIp: LOOPBACK, hostPort: 0 },
  }));
  for (let attempt = 1; ; attempt += 1) {
    const chosen = await resolvePorts(asked);
    // A port of the host leads to one port of the box, and is open once.
    const isTaken = chosen.some((one) =>
      direct.some(
        ({ hostPort, protocol }) => one.hostPort === hostPort && one.protocol === protocol,
      ),
    );
    if (isTaken && attempt < CHOICES) continue;
    const relays = new Map(wanted.map((port, at) => [port, chosen[at]?.hostPort]));
    return direct.map((port) => ({ ...port, ...relayOf(relays.get(port)) }));
  }
}

function relayOf(relay: number | undefined): Pick<Port, 'relay'> {
  return relay === undefined ? {} : { relay };
}
