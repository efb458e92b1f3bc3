import dgram, { type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

vi.mock('node:dgram', async (original) => {
  const { createSocket, ...rest } = await original<typeof dgram>();
  const recorded = (options: Parameters<typeof createSocket>[0]): Socket => {
    const socket = createSocket(options as Parameters<typeof createSocket>[0]);
    sockets.push(socket);
    return socket;
  };
  return { ...rest, createSocket: recorded, default: { ...rest, createSocket: recorded } };
});

const sockets: Socket[] = [];
const { relayUdp } = await import('./udp.ts');

beforeEach(() => {
  sockets.length = 0;
});

afterEach(() => {
  for (const socket of sockets) socket.close();
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
  const server = sockets.at(-1) as Socket;
  server.emit('message', Buffer.from('from port 0'), { address: '::1', port: 0 });
  const client = dgram.createSocket('udp6');
  const answered = once(client, 'message');
  client.send('from a port', server.address().port, '::1');
  const [answer] = (await answered) as [Buffer];
  expect(answer.toString()).toBe('from a port');
  expect(received).toEqual(['from a port']);
});
