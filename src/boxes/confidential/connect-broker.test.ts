import { once } from 'node:events';
import { type AddressInfo, createServer, type LookupFunction, type Server } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connectBroker, REFUSED_TO_BOXES, REFUSED_TO_PODS } from './connect-broker.ts';

let server: Server;
let port: number;
beforeEach(async () => {
  server = createServer((socket) => socket.end('the broker'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  server.close();
});

function answering(...addresses: string[]) {
  const asked: string[] = [];
  const lookup: LookupFunction = (host, _options, callback) => {
    asked.push(host);
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  return { asked, lookup };
}

async function failureOf(
  host: string,
  lookup: LookupFunction,
  refused = REFUSED_TO_BOXES,
): Promise<string> {
  const [error] = await once(connectBroker({ host, port }, refused, lookup), 'error');
  return String(error);
}

it.each(['169.254.169.254', 'fe80::1', '::ffff:169.254.169.254', '::ffff:a9fe:a9fe'])(
  'refuses the link-local address %s, by itself and as that of a name',
  async (address) => {
    const { asked, lookup } = answering(address);
    expect(await failureOf(address, lookup)).toContain('is a link-local address');
    expect(asked).toEqual([]);
    expect(await failureOf('broker.test', lookup)).toContain(`${address} is a link-local address`);
    expect(asked).toEqual(['broker.test']);
  },
);

it.each(['127.0.0.1', '::1', '0.0.0.0', '::ffff:127.0.0.1', '169.254.169.254'])(
  'refuses the address %s of this host to a pod, by itself and as that of a name',
  async (address) => {
    const { lookup } = answering(address);
    for (const host of [address, 'broker.test']) {
      expect(await failureOf(host, lookup, REFUSED_TO_PODS)).toContain(`${address} is a l`);
    }
  },
);

it('connects to the other addresses of a name, which it looks up once', async () => {
  const { asked, lookup } = answering('169.254.169.254', '127.0.0.1');
  const socket = connectBroker({ host: 'broker.test', port }, REFUSED_TO_BOXES, lookup);
  const [data] = await once(socket, 'data');
  expect(String(data)).toBe('the broker');
  expect(socket.remoteAddress).toBe('127.0.0.1');
  expect(asked).toEqual(['broker.test']);
  socket.destroy();
});

it('connects to a broker on this host by its address', async () => {
  const { asked, lookup } = answering();
  const socket = connectBroker({ host: '127.0.0.1', port }, REFUSED_TO_BOXES, lookup);
  await once(socket, 'data');
  expect(asked).toEqual([]);
  socket.destroy();
});

it('reports a name that has no address', async () => {
  expect(await failureOf('broker.test', answering().lookup)).toContain('broker.test');
});
