import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
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
