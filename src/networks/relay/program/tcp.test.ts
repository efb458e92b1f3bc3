import { once } from 'node:events';
import net, { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';

const servers: Server[] = [];
vi.mock('node:net', async (original) => {
  const { createServer: create, ...rest } = await original<typeof net>();
  const recorded = (...args: Parameters<typeof create>): Server => {
    const server = create(...args);
    servers.push(server);
    return server;
  };
  return { ...rest, createServer: recorded, default: { ...rest, createServer: recorded } };
});

const { relayTcp } = await import('./tcp.ts');
const { Room } = await import('./room.ts');

const clients: Socket[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A port that leads to what sends back all that it gets. */
async function port(room: InstanceType<typeof Room>) {
  const inBox: Socket[] = [];
  const box = createServer((client) => {
    inBox.push(client);
    client.on('error', () => undefined).pipe(client);
  });
  box.listen(0, '127.0.0.1');
  await once(box, 'listening');
  await relayTcp({ hostIp: '::1', hostPort: 0, to: (box.address() as AddressInfo).port }, room);
  const relay = servers.at(-1) as Server;
  return { number: (relay.address() as AddressInfo).port, relay, inBox };
}

function dial(number: number): Socket {
  const client = connect(number, '::1').on('error', () => undefined);
  clients.push(client);
  return client;
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once('close', () => resolve());
  });
}

async function echo(client: Socket): Promise<string> {
  client.write('ping');
  return String((await once(client, 'data'))[0]);
}

it('goes on after a connection that the host could not accept', async () => {
  const { number, relay } = await port(new Room(8));
  relay.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  expect(await echo(dial(number))).toBe('ping');
});

it('resets both ends of a connection that makes room for another client', async () => {
  const room = new Room(2);
  const { number, inBox } = await port(room);
  const first = dial(number);
  // One after the other, so that it is known which one comes last.
  expect(await echo(first)).toBe('ping');
  const second = dial(number);
  expect(await echo(second)).toBe('ping');
  expect(room.enter('2001:db8::1', () => undefined)).toBeDefined();
  await Promise.all([closed(second), closed(inBox[1] as Socket)]);
  expect(await echo(first)).toBe('ping');
  // Neither has room for one more of the loopback's.
  await closed(dial(number));
  expect(await echo(first)).toBe('ping');
});
