import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpServer } from '../http-server.ts';
import { TestHome } from '../testing/home.ts';

const home = new TestHome();
const path = `${home.config.socket}.small`;
let server: HttpServer;
beforeAll(async () => {
  await home.start();
  const limits = { connections: 5, refusals: 3, headersMs: 600 };
  server = new HttpServer({ ...home.runtime, stopServer: () => undefined }, limits);
  await server.listen(path);
});
afterAll(async () => {
  await server.close();
  await home.remove();
});

function dial(): Socket {
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('error', () => undefined);
  return socket;
}

/** Reads everything that the server sends until it closes. */
async function receive(socket: Socket): Promise<string> {
  try {
    return await text(socket);
  } catch {
    return '';
  } finally {
    socket.destroy();
  }
}

const PING = 'GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

describe('slow clients', () => {
  it.each([
    ['nothing', ''],
    ['half a request line', 'GET /_p'],
    ['headers without end', 'GET /_ping HTTP/1.1\r\nHost: x\r\nA: '],
  ])('closes the connection of clients that send %s', async (_name, bytes) => {
    const socket = dial();
    socket.write(bytes);
    expect(await receive(socket)).toMatch(/^HTTP\/1\.1 408 [\s\S]*did not arrive in time/);
  });
});

describe('too many clients', () => {
  it('refuses clients over the connection limit, and serves again when there is room', async () => {
    const sockets = Array.from({ length: 5 }, () => dial());
    await Promise.all(
      sockets.map((socket) => {
        socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
        return new Promise((resolve) => socket.once('data', resolve));
      }),
    );
    const upgrade = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
    for (const request of [PING, `POST /containers/x/attach HTTP/1.1\r\n${upgrade}`]) {
      const late = dial();
      late.write(request);
      expect(await receive(late)).toMatch(/^HTTP\/1\.1 503 [\s\S]*Too many connections/);
    }
    const silent = Array.from({ length: 20 }, () => dial());
    // The server closes further connections at once, without waiting for their requests.
    await Promise.all(silent.map((socket) => receive(socket)));
    expect((await home.call('GET', '/_ping')).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    const again = async (): Promise<string> => {
      const socket = dial();
      socket.write(PING);
      return await receive(socket);
    };
    await expect.poll(again, { timeout: 120_000 }).toMatch(/^HTTP\/1\.1 200 /);
  });
});
