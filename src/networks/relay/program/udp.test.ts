import dgram, { type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, it, vi } from 'vitest';

vi.mock('node:dgram', async (original) => {
  const { createSocket, ...rest } = await original<typeof dgram>();
  const recorded = (options: Parameters<typeof createSocket>[0]): Socket => {
    const socket = createSocket(options as Parameters<typeof createSocket>[0]);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  return { ...rest, createSocket: recorded, default: { ...rest, createSocket: recorded } };
});

const sockets = new Set<Socket>();
const { relayUdp } = await import('./udp.ts');

afterEach(() => {
  for (const socket of sockets) socket.close();
  sockets.clear();
});

it('drops datagrams from port 0, to which no answer can be sent', async () => {
  const box = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(box, 'listening');
  const received: string[] = [];
  box.on('message', (message, { port, address }) => {
    received.push(message.toString());
    box.send(message, port, address);
  });
  const limits = { flows: 2, idleMs: 60_000 };
  await relayUdp({ hostIp: '::1', hostPort: 0, to: box.address().port }, limits);
  const server = [...sockets].at(-1) as Socket;
  server.emit('message', Buffer.from('from port 0'), { address: '::1', port: 0 });
  const client = dgram.createSocket('udp6');
  const answered = once(client, 'message');
  client.send('from a port', server.address().port, '::1');
  const [answer] = (await answered) as [Buffer];
  expect(answer.toString()).toBe('from a port');
  expect(received).toEqual(['from a port']);
});

it('makes room for a sender of another network in the one with most of them', async () => {
  const box = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(box, 'listening');
  const { port: to } = box.address();
  await relayUdp({ hostIp: '::1', hostPort: 0, to }, { flows: 3, idleMs: 60_000 });
  const server = [...sockets].at(-1) as Socket;
  /** The port of the loopback that a datagram of a sender comes to the box from. */
  const from = async (address: string, port: number): Promise<number> => {
    const arrived = once(box, 'message');
    server.emit('message', Buffer.from('x'), { address, port });
    const [, sender] = (await arrived) as [Buffer, dgram.RemoteInfo];
    return sender.port;
  };
  const few = await from('2001:db8:0:1::1', 1);
  const first = await from('2001:db8::1', 1);
  const second = await from('2001:db8::2', 1);
  // The room is full. The one that was silent longest is of the network with fewer senders.
  await from('2001:db8::3', 1);
  expect(await from('2001:db8:0:1::1', 1)).toBe(few);
  expect(await from('2001:db8::2', 1)).toBe(second);
  expect(await from('2001:db8::1', 1)).not.toBe(first);
});
