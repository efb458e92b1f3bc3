import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Client } from './client.ts';
import { greet } from './greet.ts';

let directory: string;
let path: string;
let server: Server;
let connections: Socket[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-greet-'));
  path = join(directory, 's');
  connections = [];
});

afterEach(async () => {
  for (const socket of connections) socket.destroy();
  server.close();
  await once(server, 'close');
  rmSync(directory, { recursive: true });
});

async function listen(made: Server): Promise<void> {
  server = made.on('connection', (socket: Socket) => connections.push(socket));
  server.listen(path);
  await once(server, 'listening');
}

/** Answers each connection's first bytes with `pieces`, one after the other. */
const saying = (...pieces: readonly string[]): Promise<void> =>
  listen(
    createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', async () => {
        for (const piece of pieces) {
          await new Promise((resolve) => socket.write(piece, resolve));
        }
      });
    }),
  );

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK';

describe('the greeting connection', () => {
  it('sends the first request on the greeting connection, and the next on another', async () => {
    await listen(
      createHttpServer((request, response) => {
        const body = JSON.stringify({ path: request.url });
        response.setHeader('content-length', body.length);
        response.end(body);
      }),
    );
    const client = new Client(path, await greet(path));
    const ask = () => client.json({ method: 'GET', path: '/a3s/v1/host' });
    expect(await ask()).toEqual({ path: '/a3s/v1/host' });
    expect(connections).toHaveLength(1);
    expect(await ask()).toEqual({ path: '/a3s/v1/host' });
    expect(connections).toHaveLength(2);
  });

  it('accepts a greeting in pieces', async () => {
    await saying(...OK);
    expect((await greet(path)).take()).toBeDefined();
  });

  it('hands out the greeting connection once', async () => {
    await saying(OK);
    const greeted = await greet(path);
    greeted.take()?.destroy();
    expect(greeted.take()).toBeUndefined();
  });

  it.each([
    ['says that it closes', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK'],
    ['does not say how long its answer is', 'HTTP/1.1 200 OK\r\n\r\nOK'],
  ])('does not reuse the greeting connection of a server that %s', async (_, answer) => {
    await saying(answer);
    expect((await greet(path)).take()).toBeUndefined();
  });

  it.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['more than it announced', `${OK}OK`],
    ['an endless answer', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`],
  ])('refuses a server that answers the greeting with %s', async (_, answer) => {
    await saying(answer);
    await expect(greet(path)).rejects.toMatchObject({ code: 'server-unreachable' });
  });

  it('reports a closed greeting as a server that is about to stop', async () => {
    await listen(createServer((socket) => socket.end()));
    await expect(greet(path)).rejects.toMatchObject({
      code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/),
    });
  });
});
