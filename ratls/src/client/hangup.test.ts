import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { selfSigned } from '../server/self-signed.ts';
import { guestSource } from '../testing/simulated-source.ts';
import { speakHttp2 } from './exchange.ts';
import { openTlsConnection } from './tls-connection.ts';

const CASES: readonly [how: string, end: (socket: Socket) => void][] = [
  ['resets the connection', (socket) => socket.resetAndDestroy()],
  ['sends bytes that are no TLS', (socket) => socket.write(Buffer.alloc(64, 0x41))],
];

describe('a TLS connection', () => {
  const servers: Server[] = [];
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const each of [...sockets.splice(0)]) each.destroy();
    for (const each of servers.splice(0)) each.close();
  });

  async function listening(server: Server): Promise<number> {
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  it.each(CASES)('survives a peer that %s while its certificate is verified', async (_, end) => {
    const { key, certificate: cert } = await selfSigned(guestSource());
    const guest = createTlsServer({ key, cert, ALPNProtocols: ['h2'] });
    guest.on('secureConnection', (socket) => sockets.push(socket.on('error', () => {})));
    const port = await listening(guest);
    const hosts: Socket[] = [];
    const relay = createServer((socket) => {
      const onward = connect(port, '127.0.0.1');
      hosts.push(socket);
      for (const each of [socket, onward]) sockets.push(each.on('error', () => {}));
      socket.pipe(onward).pipe(socket);
    });
    const endpoint = { host: '127.0.0.1', port: await listening(relay) };
    const { socket } = await openTlsConnection(endpoint, AbortSignal.timeout(60_000));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    for (const host of hosts) end(host);
    await closed;
    expect(() => speakHttp2(socket)).toThrow(expect.objectContaining({ code: 'unreachable' }));
  });
});
