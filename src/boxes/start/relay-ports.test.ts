import { expect, it } from 'vitest';
import type { Port } from '../record/box.ts';
import { relayedPorts } from '../run/relayed-ports.ts';
import { forward } from '../spec/network.ts';
import { choosePorts, relayPorts } from './relay-ports.ts';

const at = (hostIp: string, more: Partial<Port> = {}): Port => ({
  ...{ boxPort: 80, protocol: 'tcp', hostIp, hostPort: 8080, ...more },
});

it('leads ports at IPv6 addresses by the loopback where the box has no IPv6 alone', async () => {
  const ports = [at('0.0.0.0'), at('::1'), at('::', { protocol: 'udp', boxPort: 53 })];
  expect(await relayPorts(ports, false)).toEqual(ports);
  const relayed = await relayPorts(ports, true);
  const relay = expect.any(Number);
  expect(relayed).toEqual([ports[0], { ...ports[1], relay }, { ...ports[2], relay }]);
  const [, tcp, udp] = relayed;
  expect(relayedPorts(relayed)).toEqual([
    { protocol: 'tcp', hostIp: '::1', hostPort: 8080, to: tcp?.relay },
    { protocol: 'udp', hostIp: '::', hostPort: 8080, to: udp?.relay },
  ]);
  expect(relayed.map(forward)).toEqual([
    { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080, boxPort: 80 },
    { protocol: 'tcp', hostIp: '127.0.0.1', hostPort: tcp?.relay, boxPort: 80 },
    { protocol: 'udp', hostIp: '127.0.0.1', hostPort: udp?.relay, boxPort: 53 },
  ]);
  // The box has come into a network with IPv6.
  expect(await relayPorts(relayed, false)).toEqual(ports);
});

it('publishes a port at no address on both families where the box has both', async () => {
  const asked = [at('', { hostPort: 0 }), at('127.0.0.1', { hostPort: 0, boxPort: 81 })];
  const [every, local, ...others] = await choosePorts(asked, false);
  expect(every).toMatchObject({ hostIp: '0.0.0.0', hostPort: expect.any(Number) });
  expect(local).toMatchObject({ hostIp: '127.0.0.1' });
  expect(others).toEqual([{ ...every, hostIp: '::' }]);
  const [first, ...more] = await choosePorts(asked.slice(0, 1), true);
  expect(first).toMatchObject({ hostIp: '0.0.0.0' });
  expect(more).toEqual([]);
});
