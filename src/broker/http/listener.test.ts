import { once } from 'node:events';
import { request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { testCertificate } from '../testing/certificate.ts';
import { type ConnectionLimits, Listener } from './listener.ts';

const LIMITS = { connections: 8, connectionsOfClient: 4, firstRequestMs: 600_000 };
const SERVER = testCertificate('broker');

let listener: Listener | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await listener?.close();
});

async function open(limits: Partial<ConnectionLimits> = {}): Promise<number> {
  listener = await Listener.open({
    address: { host: '127.0.0.1', port: 0 },
    tls: SERVER,
    handle: (_, outgoing) => outgoing.end('served'),
    limits: { ...LIMITS, ...limits },
  });
  return listener.port;
}

/** A connection that says nothing; `closed` resolves once the listener has ended it. */
async function silent(port: number, localAddress: string) {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  sockets.push(socket);
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  socket.resume();
  await once(socket, 'connect');
  return { socket, closed };
}

function ask(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, agent: false, rejectUnauthorized: false };
    const outgoing = request(options, (incoming) => {
      incoming.resume();
      incoming.on('end', () => resolve(incoming.statusCode));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

it('ends a connection that never starts TLS, and one that sends its handshake by the byte', async () => {
  const port = await open({ firstRequestMs: 200 });
  const idle = await silent(port, '127.0.0.2');
  const slow = await silent(port, '127.0.0.3');
  // The first bytes of a handshake record, which never becomes whole.
  const record = [0x16, 3, 1, 0x40, 0];
  const timer = setInterval(() => slow.socket.write(Buffer.from([record.shift() ?? 1])), 20);
  await Promise.all([idle.closed, slow.closed]);
  clearInterval(timer);
});

it('serves a client while others hold every connection without a request', async () => {
  const port = await open();
  const first = await silent(port, '127.0.0.2');
  for (let n = 1; n < LIMITS.connections; n += 1) {
    await silent(port, `127.0.0.${n < LIMITS.connectionsOfClient ? 2 : 3}`);
  }
  expect(await ask(port)).toBe(200);
  await first.closed;
});

it('takes no more connections of one client than one may have', async () => {
  const port = await open();
  for (let n = 0; n < LIMITS.connectionsOfClient; n += 1) await silent(port, '127.0.0.2');
  const more = await silent(port, '127.0.0.2');
  await more.closed;
  expect(await ask(port)).toBe(200);
});
