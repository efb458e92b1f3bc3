import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { parseNetworkPolicy } from '@a3s-box/policies/network-policy';
import { afterEach, describe, expect, it } from 'vitest';
import { readSubnet } from '../../ipv4.ts';
import type { Refused } from './refusals.ts';
import { type WebProxyOptions, webProxy } from './web-proxy.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** @param serve what the server of the permitted name does; undefined: there is none */
async function proxyOf(
  serve: ((socket: Socket) => void) | undefined,
  options: Partial<WebProxyOptions> = {},
) {
  const refused: Refused[] = [];
  const target =
    serve === undefined ? 9 : await listen(createServer({ allowHalfOpen: true }, serve));
  const reached: unknown[] = [];
  const proxy = webProxy(
    {
      policies: [parseNetworkPolicy({ rules: ['allow:a.example'] })],
      own: [],
      pins: {
        addressesOf: (name) => (name === 'a.example' ? [0xcb007101] : []),
        isOpen: () => true,
      },
      refuse: (each) => refused.push(each),
      connect: (address) => {
        reached.push(address);
        return connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
      },
      ...options,
    },
    { port: 80, speaks: 'http' },
  );
  const port = await listen(proxy);
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  return { client, refused, reached };
}

/** All that comes, or the code of the error that ends it. */
async function read(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'error';
  }
}

const REQUEST = 'POST / HTTP/1.1\r\nHost: a.example\r\n\r\n';

describe('the proxy for web connections', () => {
  it('carries a request that comes in pieces, and all that follows it, both ways', async () => {
    const body = 'x'.repeat(1_000_000);
    let received = '';
    const { client, reached } = await proxyOf((socket) => {
      socket.on('data', (data) => {
        received += data;
      });
      socket.on('end', () => socket.end(body));
    });
    for (const part of REQUEST.match(/.{1,9}/gs) ?? []) {
      client.write(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.end(body);
    expect(await read(client)).toBe(body);
    expect(received).toContain('Connection: close\r\n\r\n');
    expect(received.endsWith(body)).toBe(true);
    expect(reached).toEqual([0xcb007101]);
  });

  it('connects nowhere for another name, and says which', async () => {
    const { client, refused, reached } = await proxyOf(undefined);
    client.write(REQUEST.replace('a.example', 'b.example'));
    expect(await read(client)).toBe('ECONNRESET');
    expect(reached).toEqual([]);
    expect(refused).toEqual([{ target: 'b.example:80/tcp', policy: 0, why: expect.any(String) }]);
  });

  it('connects to no address that an earlier rule denies', async () => {
    const rules = ['deny:203.0.113.0/24', 'allow:a.example'];
    const { client, refused, reached } = await proxyOf(undefined, {
      policies: [parseNetworkPolicy({ rules })],
    });
    client.write(REQUEST);
    expect(await read(client)).toBe('ECONNRESET');
    expect(reached).toEqual([]);
    expect(refused).toEqual([{ target: 'a.example:80/tcp', policy: 0, by: 0 }]);
  });

  it('connects to no network of the host by a default that opens public addresses', async () => {
    const { client, refused, reached } = await proxyOf(undefined, {
      policies: [parseNetworkPolicy({ default: 'public', rules: [] })],
      own: [readSubnet('203.0.113.0/24')],
    });
    client.write(REQUEST);
    expect(await read(client)).toBe('ECONNRESET');
    expect(reached).toEqual([]);
    expect(refused).toEqual([{ target: 'a.example:80/tcp', policy: 0, by: 'default' }]);
  });

  it('refuses a name none of whose addresses the packet filter has opened', async () => {
    const pins = { addressesOf: () => [0xcb007101, 0xcb007102], isOpen: () => false };
    const policies = [parseNetworkPolicy({ default: 'public', rules: [] })];
    const { client, refused, reached } = await proxyOf(undefined, { pins, policies });
    client.write(REQUEST);
    expect(await read(client)).toBe('ECONNRESET');
    expect(reached).toEqual([]);
    expect(refused).toEqual([
      { target: 'a.example:80/tcp', policy: 0, why: expect.stringContaining('no rule for a name') },
    ]);
  });

  it('connects to those addresses alone that the packet filter has opened', async () => {
    const pins = {
      addressesOf: () => [0xcb007101, 0xcb007102],
      isOpen: (address: number) => address === 0xcb007102,
    };
    const { client, reached } = await proxyOf(undefined, { pins });
    client.write(REQUEST);
    await read(client);
    expect(reached).toEqual([0xcb007102]);
  });

  it('connects to a private address by a rule for it on that port alone', async () => {
    const pins = { addressesOf: () => [0x0a000001], isOpen: () => true };
    const policy = (...rules: string[]) => [
      parseNetworkPolicy({ rules: ['allow:a.example', ...rules] }),
    ];
    const closed = await proxyOf(undefined, {
      ...{ pins, policies: policy('allow:10.0.0.1:tcp:443', 'allow:10.0.0.1:udp') },
    });
    closed.client.write(REQUEST);
    expect(await read(closed.client)).toBe('ECONNRESET');
    expect(closed.reached).toEqual([]);
    expect(closed.refused).toEqual([expect.objectContaining({ target: 'a.example:80/tcp' })]);
    const open = await proxyOf((socket) => socket.resume().end('reached'), {
      ...{ pins, policies: policy('allow:10.0.0.1:tcp:80') },
    });
    open.client.write(REQUEST);
    expect(await read(open.client)).toBe('reached');
  });

  it('tries the addresses of a name one after the other', async () => {
    const target = await listen(createServer((socket) => socket.resume().end('reached')));
    let calls = 0;
    const { client } = await proxyOf(undefined, {
      pins: {
        addressesOf: () => [0xcb007101, 0xcb007102, 0xcb007103],
        isOpen: () => true,
      },
      connect: () => {
        calls += 1;
        const port = calls < 3 ? 9 : target;
        return connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      },
    });
    client.write(REQUEST);
    expect(await read(client)).toBe('reached');
    expect(calls).toBe(3);
  });

  it('ends a connection whose server is not there', async () => {
    const { client } = await proxyOf(undefined);
    client.write(REQUEST);
    expect(await read(client)).toBe('ECONNRESET');
  });

  it('goes on after a connection that the host cannot take', async () => {
    const proxy = webProxy(
      {
        ...{ policies: [], own: [], pins: { addressesOf: () => [], isOpen: () => true } },
        ...{ refuse: () => undefined, connect: () => new Socket() },
      },
      { port: 80, speaks: 'http' },
    );
    await listen(proxy);
    proxy.emit('error', new Error('accept ENFILE'));
    expect(proxy.listening).toBe(true);
  });

  it('ends a client that does not say what it wants', async () => {
    const { client, reached } = await proxyOf(undefined, { peekMs: 20 });
    client.write(REQUEST.slice(0, 10));
    expect(await read(client)).toBe('ECONNRESET');
    expect(reached).toEqual([]);
  });

  it('ends the server’s side when the client breaks off, and the other way round', async () => {
    const closed: string[] = [];
    const { client } = await proxyOf((socket) => {
      socket.on('error', () => undefined).on('close', () => closed.push('server'));
      socket.write('hello');
    });
    client.write(REQUEST);
    await once(client, 'data');
    client.on('error', () => undefined).resetAndDestroy();
    await expect.poll(() => closed).toEqual(['server']);
    const { client: other } = await proxyOf((socket) => socket.resetAndDestroy());
    other.write(REQUEST);
    expect(await read(other)).toBe('ECONNRESET');
  });

  describe('of connections to hosts that get secrets', () => {
    type Served = { name: string; first: number | undefined; reached: string[] };

    /** What becomes of a TLS client that states the name. */
    async function say(name: string, options: Partial<WebProxyOptions> = {}) {
      const served: Served[] = [];
      const calls: string[] = [];
      const opened = await listen(createServer((socket) => socket.resume().end('plain')));
      const connectTo = () => connect({ port: opened, host: '127.0.0.1', allowHalfOpen: true });
      const proxy = webProxy(
        {
          policies: [parseNetworkPolicy({ rules: ['allow:*.example'] })],
          ...{ own: [], refuse: (each) => calls.push(each.target), connect: connectTo },
          pins: { addressesOf: () => [0xcb007101], isOpen: () => true },
          secrets: {
            serves: (host) => host === 'a.example',
            serve: (client, { name: host, open }) => {
              client.once('data', async (data: Buffer) => {
                const socket = await open();
                const reached = socket === undefined ? [] : [await read(socket)];
                served.push({ name: host, first: data[0], reached });
                client.destroy();
              });
            },
          },
          renew: async (host) => void calls.push(`renew ${host}`),
          ...options,
        },
        { port: 443, speaks: 'tls' },
      );
      const port = await listen(proxy);
      const client = connectTls({ port, host: '127.0.0.1', servername: name });
      client.on('error', () => undefined);
      await new Promise((resolve) => client.on('close', resolve));
      return { served, calls };
    }

    it('hands over those to such a host alone, with all that the client has sent', async () => {
      expect(await say('a.example')).toEqual({
        ...{ served: [{ name: 'a.example', first: 22, reached: ['plain'] }], calls: [] },
      });
      expect((await say('b.example')).served).toEqual([]);
    });

    it('hands over none to a name that may not be reached', async () => {
      const policies = [parseNetworkPolicy({ rules: ['deny:a.example', 'allow:*.example'] })];
      expect(await say('a.example', { policies })).toEqual({
        ...{ served: [], calls: ['a.example:443/tcp'] },
      });
      const pins = { addressesOf: () => [0xcb007101], isOpen: () => false };
      expect((await say('a.example', { pins })).served).toEqual([]);
    });

    it('resolves the name again where its addresses were closed since', async () => {
      let asked = 0;
      const open = [true, false, true];
      const pins = { addressesOf: () => [0xcb007101], isOpen: () => open[asked++] === true };
      expect(await say('a.example', { pins })).toEqual({
        served: [{ name: 'a.example', first: 22, reached: ['plain'] }],
        calls: ['renew a.example'],
      });
    });
  });
});
