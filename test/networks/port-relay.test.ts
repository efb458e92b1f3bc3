import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { relayPorts } from '../../src/boxes/start/relay-ports.ts';
import { PortRelays } from '../../src/networks/relay/port-relays.ts';

const BUNDLE = join(import.meta.dirname, '../../dist/relay.cjs');
const [web, db] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];

const complaints: unknown[] = [];
const log = { error: (_: string, error: unknown) => complaints.push(error) };
let directory: string;
let relays: PortRelays;
const servers: (Server | Datagrams)[] = [];

beforeEach(() => {
  directory = join(tmpdir(), `a3s-relays-${process.pid}-${Date.now()}`);
  relays = new PortRelays(directory, BUNDLE, log);
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await relays.reconcile(new Map());
  await new PortRelays(directory, BUNDLE, log).reconcile(new Map());
  expect(programs()).toEqual([]);
  expect(complaints.splice(0)).toEqual([]);
});

/** Process ids of programs of this home, and of their jails. */
function programs(of = ''): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const args = readFileSync(`/proc/${Number(name)}/cmdline`, 'utf8').split('\0');
      return args.some((arg) => arg.startsWith(join(directory, 'port-relays', of)))
        ? [Number(name)]
        : [];
    } catch {
      return [];
    }
  });
}

/** What a box is behind its own published port: it sends back what it got, in brackets. */
async function box(protocol: 'tcp' | 'udp'): Promise<number> {
  if (protocol === 'udp') {
    const socket = createSocket('udp4');
    socket.on('message', (message, { port }) => socket.send(`<${message}>`, port, '127.0.0.1'));
    socket.bind(0, '127.0.0.1');
    servers.push(socket);
    await once(socket, 'listening');
    return socket.address().port;
  }
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const said: Buffer[] = [];
    socket.on('error', () => undefined).on('data', (bytes) => said.push(bytes));
    socket.once('end', () => socket.end(`<${Buffer.concat(said)}>`));
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
async function freePort(protocol: 'tcp' | 'udp'): Promise<number> {
  const asked = { boxPort: 80, protocol, hostIp: '::1', hostPort: 1 };
  return (await relayPorts([asked], true))[0]?.relay ?? 0;
}

/** The answer to a client that ends its own side first; the code of the error otherwise. */
async function ask(port: number, text: string | Buffer, host = '::1'): Promise<string> {
  const socket = connect({ host, port, allowHalfOpen: true });
  try {
    socket.end(text);
    return (await buffer(socket)).toString();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? '';
  }
}

it('leads ports at IPv6 addresses to the loopback, both ways, and no port of IPv4', async () => {
  const to = await box('tcp');
  const hostPort = await freePort('tcp');
  const udp = { to: await box('udp'), hostPort: await freePort('udp') };
  await relays.publish(web, [
    { protocol: 'tcp', hostIp: '::', hostPort, to },
    { protocol: 'udp', hostIp: '::1', ...udp },
  ]);
  expect(await ask(hostPort, 'one')).toBe('<one>');
  const large = Buffer.alloc(8 << 20, 'x');
  expect(await ask(hostPort, large)).toBe(`<${large}>`);
  // The same port of IPv4 is free, and for others.
  expect(await ask(hostPort, 'four', '127.0.0.1')).toBe('ECONNREFUSED');
  const clients = await Promise.all(
    ['a', 'b'].map(async (text) => {
      const client = createSocket('udp6');
      servers.push(client);
      client.send(text, udp.hostPort, '::1');
      const [answer] = await once(client, 'message', { signal: AbortSignal.timeout(10_000) });
      return String(answer);
    }),
  );
  expect(clients).toEqual(['<a>', '<b>']);
  // Nothing listens in the box any more.
  for (const server of servers.splice(0)) server.close();
  await expect.poll(() => ask(hostPort, 'gone')).toBe('ECONNRESET');
  await relays.publish(web, []);
  expect(programs()).toEqual([]);
  expect(await ask(hostPort, 'late')).toBe('ECONNREFUSED');
});

it('outlives its server, and is started again where it was killed', async () => {
  const to = await box('tcp');
  const [first, second] = [await freePort('tcp'), await freePort('tcp')];
  const ports = (hostPort: number) => [{ protocol: 'tcp', hostIp: '::1', hostPort, to }] as const;
  await relays.publish(web, ports(first));
  await relays.publish(db, ports(second));
  const [before] = [programs(web)];
  // The next server, which has the first box alone on record.
  relays = new PortRelays(directory, BUNDLE, log);
  await relays.reconcile(new Map([[web, ports(first)]]));
  expect(programs(web)).toEqual(before);
  expect(programs(db)).toEqual([]);
  expect(await ask(second, 'two')).toBe('ECONNREFUSED');
  for (const pid of programs(web)) process.kill(pid, 'SIGKILL');
  await expect.poll(() => programs(web)).toEqual([]);
  await relays.repair();
  expect(await ask(first, 'one')).toBe('<one>');
  // Another one, whose record of the box has another port.
  relays = new PortRelays(directory, BUNDLE, log);
  await relays.reconcile(new Map([[web, ports(second)]]));
  // Whether the box runs is not known yet.
  expect(programs(web)).toEqual([]);
  await relays.repair();
  expect(await ask(first, 'one')).toBe('ECONNREFUSED');
  expect(await ask(second, 'one')).toBe('<one>');
});

it('says which port is taken, and opens none then', async () => {
  const busy = createServer().listen(0, '::1');
  servers.push(busy);
  await once(busy, 'listening');
  const { port } = busy.address() as AddressInfo;
  const hostPort = await freePort('tcp');
  const other = { protocol: 'tcp', hostIp: '::1', to: 1 } as const;
  const ports = [
    { ...other, hostPort },
    { ...other, hostPort: port },
  ];
  await expect(relays.publish(web, ports)).rejects.toMatchObject({
    ...{ code: 'port-in-use', message: `Cannot publish [::1]:${port}: the port is already in use` },
  });
  expect(programs()).toEqual([]);
  const nowhere = [{ ...other, hostIp: '2001:db8::77', hostPort }];
  await expect(relays.publish(web, nowhere)).rejects.toMatchObject({ code: 'network-failed' });
  relays = new PortRelays(directory, '/nowhere/relay.cjs', log);
  await expect(relays.publish(web, nowhere)).rejects.toMatchObject({ code: 'network-failed' });
});
