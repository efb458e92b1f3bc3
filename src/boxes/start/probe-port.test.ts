import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import type { Port } from '../record/box.ts';
import { resolvePorts } from './probe-port.ts';

const HOST = '127.0.0.1';

it('chooses the first free port of a range, and each once', async () => {
  const busy = createServer().listen(0, HOST);
  await once(busy, 'listening');
  const { port } = busy.address() as AddressInfo;
  const one = { boxPort: 80, protocol: 'tcp', hostIp: HOST, hostPort: port } as const;
  const range = { ...one, hostPortEnd: Math.min(port + 40, 65_535) };
  const [first, second] = await resolvePorts([range, { ...range, boxPort: 81 }]);
  expect(first?.hostPort).toBeGreaterThan(port);
  expect(second?.hostPort).toBeGreaterThan(first?.hostPort ?? 0);
  await expect(resolvePorts([one])).rejects.toMatchObject({ code: 'port-in-use' });
  const [udp] = await resolvePorts([{ ...one, protocol: 'udp' }]);
  expect(udp).toMatchObject({ hostPort: port, protocol: 'udp' });
  busy.close();
});

it('finds a port of UDP that is taken, and a free one', async () => {
  const socket = createSocket('udp4');
  socket.bind(0, HOST);
  await once(socket, 'listening');
  const taken = { boxPort: 53, protocol: 'udp', hostIp: HOST } as const;
  const { port: hostPort } = socket.address();
  await expect(resolvePorts([{ ...taken, hostPort }])).rejects.toMatchObject({
    code: 'port-in-use',
  });
  const [free] = await resolvePorts([{ ...taken, hostPort: 0 }]);
  expect(free?.hostPort).toBeGreaterThan(0);
  socket.close();
});

it('leads one host port to one port of the box, whatever the address', async () => {
  const [free] = await resolvePorts([{ boxPort: 1, protocol: 'tcp', hostIp: HOST, hostPort: 0 }]);
  const one = { ...(free as Port), boxPort: 80 };
  const other = { ...one, hostIp: '127.0.0.2', boxPort: 9000 };
  await expect(resolvePorts([one, other])).rejects.toMatchObject({ code: 'invalid-argument' });
  const same = { ...other, boxPort: 80 };
  expect(await resolvePorts([one, same])).toEqual([one, same]);
  // A port that is named comes first, and the range has another one.
  const range = { ...other, hostPortEnd: one.hostPort + 40 };
  const [chosen, named] = await resolvePorts([range, one]);
  expect(named).toEqual(one);
  expect(chosen?.hostPort).toBeGreaterThan(one.hostPort);
});

it.each(['tcp', 'udp'] as const)('chooses no free port of %s twice', async (protocol) => {
  const ports = Array.from({ length: 300 }, (_, at) => ({
    ...{ boxPort: at + 1, protocol, hostIp: HOST, hostPort: 0 },
  }));
  const chosen = await resolvePorts(ports);
  expect(new Set(chosen.map(({ hostPort }) => hostPort)).size).toBe(300);
  // None of them is held any longer.
  expect(await resolvePorts(chosen)).toEqual(chosen);
});

// A link-local address without its link, an IPv4 address in the form of IPv6, and a group's.
it.each(['fe80::1', '::ffff:7f00:1', 'ff02::1', '203.0.113.77'])(
  'refuses a port at %s, which no socket of this host can have, as a mistake of the client',
  async (hostIp) => {
    for (const protocol of ['tcp', 'udp'] as const) {
      const asked = resolvePorts([{ boxPort: 80, protocol, hostIp, hostPort: 0 }]);
      await expect(asked).rejects.toMatchObject({
        ...{ code: 'invalid-argument', remedy: 'Choose an address of this host.' },
      });
    }
  },
);
