import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';

const home = new TestHome();
const warnings: Error[] = [];
const note = (warning: Error): void => void warnings.push(warning);
beforeAll(async () => {
  process.on('warning', note);
  await home.start();
});
afterAll(async () => {
  process.off('warning', note);
  await home.remove();
});

/** After each test the server answers another client, and Node.js has emitted no warning. */
afterEach(async () => {
  expect((await home.call('GET', '/_ping')).status).toBe(200);
  expect(warnings).toEqual([]);
});

function dial(): Socket {
  const socket = connect({ path: home.config.socket, allowHalfOpen: true });
  socket.on('error', () => undefined);
  return socket;
}

/** Sends the bytes, and reads everything that the server sends until it closes. */
async function say(...parts: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = dial();
  for (const part of parts) socket.write(part);
  try {
    return await text(socket);
  } catch {
    return '';
  } finally {
    socket.destroy();
  }
}

function get(path: string, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`;
}

const UPGRADE = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n';

async function until(what: () => unknown): Promise<void> {
  await expect.poll(what, { timeout: 120_000 }).toBeTruthy();
}

/** Collects what a socket receives. */
function listen(socket: Socket): { text: string; ended: boolean } {
  const received = { text: '', ended: false };
  socket.on('data', (chunk: Buffer) => {
    received.text += chunk.toString('latin1');
  });
  socket.on('end', () => {
    received.ended = true;
  });
  return received;
}

describe('malformed requests', () => {
  it.each([
    ['headers that are too large', get('/_ping', `X: ${'x'.repeat(40_000)}\r\n`), 431],
    ['a path that is too long', get(`/${'x'.repeat(70_000)}`), 431],
    ['too many headers, in all', get('/_ping', 'X: yyyyyyyyyy\r\n'.repeat(3000)), 431],
    ['no HTTP', 'hello there\r\n\r\n', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a bare line feed in a header', get('/_ping', 'A: b\nC\r\n'), 400],
    ['NUL in a header', get('/_ping', 'A: \0\r\n'), 400],
    ['NUL in the path', get('/_ping\0'), 400],
    [
      'two lengths',
      `POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
      400,
    ],
    [
      'a length and chunks',
      `POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    [
      'a negative length',
      `POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n`,
      400,
    ],
  ])('refuses a request with %s', async (_name, bytes, status) => {
    const answer = await say(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/"message":"[^"]+"/);
    expect(answer).not.toMatch(/\bat .*\.ts/);
  });

  it('refuses a request without a Host header', async () => {
    expect(await say('GET /_ping HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it.each([
    ['no size', 'zz\r\n{}\r\n0\r\n\r\n'],
    ['a size that is too large for a number', 'fffffffffffffffffff\r\n{}'],
    ['no end of a chunk', '2\r\n{}3\r\n0\r\n\r\n'],
    ['a negative size', '-2\r\n{}\r\n0\r\n\r\n'],
    ['an extension without end', `2;${'x'.repeat(40_000)}\r\n{}\r\n0\r\n\r\n`],
  ])('refuses chunks with %s', async (_name, chunks) => {
    const head =
      'POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    // The server is already waiting for the document when the chunk arrives.
    const answer = await say(head, chunks);
    expect(answer).toMatch(/^($|HTTP\/1\.1 4\d\d )/);
  });
});

describe('paths', () => {
  it.each([
    ['//', 404],
    ['//_ping', 404],
    ['///containers//json', 404],
    ['/%2e%2e/%2e%2e/etc/passwd', 404],
    ['/containers/%2e%2e/json', 404],
    ['/containers/%00/json', 404],
    ['/containers/%ff/json', 404],
    ['/containers/%/json', 404],
    [`/containers/${'x'.repeat(20_000)}/json`, 404],
    ['/containers/%2F%2F/logs?stdout=1', 404],
    ['http://elsewhere/_ping', 200],
    ['*', 400],
    ['/v1.99/info', 400],
    ['/v1.10/info', 400],
    ['/v2/info', 400],
    ['/v0/info', 400],
    ['/v1.45.1/info', 400],
    ['/v99999999999999999999.1/info', 400],
    ['/v1.45', 404],
    ['/v1.45/', 404],
    ['/v1.45/nope', 404],
    ['/vintage/info', 404],
  ])('answers the path %s with %i', async (path, status) => {
    for (const more of ['', 'Connection: Upgrade\r\nUpgrade: tcp\r\n']) {
      const answer = await say(
        `GET ${path} HTTP/1.1\r\nHost: x\r\n${more || 'Connection: close\r\n'}\r\n`,
      );
      expect(answer, `${path} ${more}`).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(answer).not.toMatch(/\bat .*\.[cm]?[jt]s/);
    }
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])(
    'refuses the unsupported method %s',
    async (method) => {
      const answer = await say(
        `${method} /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
      expect(answer).toContain('page not found');
    },
  );

  it.each(['/version', '/containers/json', '/nope', '/containers/x/json'])(
    'answers HEAD %s without a body',
    async (path) => {
      const answer = await say(`HEAD ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 (200|404) /);
      expect(answer.endsWith('\r\n\r\n')).toBe(true);
    },
  );

  it.each(['connect.example:443', '/'])('refuses to proxy CONNECT to %s', async (target) => {
    expect(await say(`CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)).not.toMatch(/ 2\d\d /);
  });
});

describe('documents', () => {
  const post = async (body: string | Uint8Array): Promise<string> =>
    await say(
      `POST /containers/create HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`,
      body,
    );

  it.each([
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ['half a surrogate', '{"Image":"\\ud800"}'],
    ['a million brackets', '['.repeat(1_000_000)],
    ['brackets that match', '['.repeat(500_000) + ']'.repeat(500_000)],
    [
      'deep objects in place of a list',
      `{"Cmd":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
    ],
    ['a key that is special', '{"__proto__":{"Image":"busybox"}}'],
    ['numbers beyond all bounds', '{"HostConfig":{"Memory":1e400}}'],
    ['a number', '7'],
    ['nothing', 'null'],
    ['two documents', '{}{}'],
    ['a mark of byte order', '\ufeff{}x'],
  ])('refuses a document of %s', async (_name, body) => {
    expect(await post(body)).toMatch(/^HTTP\/1\.1 4\d\d [\s\S]*"code":"/);
  });

  it('refuses a document early that is announced too large', async () => {
    const socket = dial();
    const received = listen(socket);
    socket.write(
      'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n',
    );
    const piece = Buffer.alloc(64 * 1024, ' ');
    const pour = (): void => {
      while (!socket.destroyed && received.text === '' && socket.write(piece));
    };
    socket.on('drain', pour);
    pour();
    await until(() => received.text.startsWith('HTTP/1.1 413 '));
    socket.destroy();
  });
});

describe('pipelined requests', () => {
  it('answers pipelined requests in order', async () => {
    const answers = await say('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50), get('/nope'));
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual([
      ...Array(50).fill('HTTP/1.1 200'),
      'HTTP/1.1 404',
    ]);
  });

  it('buffers no pipelined requests behind an endless answer', async () => {
    const socket = dial();
    const received = listen(socket);
    socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => received.text.includes('200 OK'));
    let taken = true;
    for (let sent = 0; taken && sent < 20_000; sent += 1) {
      taken = socket.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100));
    }
    expect(taken).toBe(false);
    expect((await home.call('GET', '/_ping')).status).toBe(200);
    socket.destroy();
  });
});

describe('clients that come and go', () => {
  let box: string;
  beforeAll(async () => {
    box = await home.create(['cat'], { OpenStdin: true });
    await home.call('POST', `/containers/${box}/start`);
  });

  const followed = (): string =>
    `GET /containers/${box}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n`;

  async function type(line: string): Promise<void> {
    const socket = dial();
    const received = listen(socket);
    socket.write(`POST /containers/${box}/attach?stream=1&stdin=1 HTTP/1.1\r\n${UPGRADE}\r\n`);
    await until(() => received.text.includes('101 '));
    socket.write(line);
    const log = async (): Promise<unknown> =>
      (await home.call('GET', `/containers/${box}/logs?stdout=1`)).body;
    await until(async () => String(await log()).includes(line));
    socket.destroy();
  }

  it('sends output to clients that have closed their sending side', async () => {
    for (const request of [
      followed(),
      `POST /containers/${box}/attach?stream=1&stdout=1 HTTP/1.1\r\n${UPGRADE}\r\n`,
      `POST /containers/${box}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`,
    ]) {
      const socket = dial();
      const received = listen(socket);
      socket.end(request);
      await until(() => /^HTTP\/1\.1 (200|101) /.test(received.text));
      const word = `word${Math.random()}`;
      await type(word);
      await until(() => received.text.includes(word));
      expect(received.ended).toBe(false);
      socket.destroy();
    }
  });

  it('notices vanished clients although nothing is written', async () => {
    const { events } = home.runtime;
    const before = events.listeners;
    const sockets = Array.from({ length: 20 }, () => dial());
    for (const socket of sockets) socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => events.listeners === before + 20);
    for (const socket of sockets) socket.destroy();
    await until(() => events.listeners === before);
  });

  it.each([
    ['logs', async () => followed()],
    [
      'attach',
      async () =>
        `POST /containers/${box}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n${UPGRADE}\r\n`,
    ],
    [
      'attach without an upgrade',
      async () => `POST /containers/${box}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n`,
    ],
    [
      'attach in chunks',
      async () =>
        `POST /containers/${box}/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab`,
    ],
    ['wait', async () => `POST /containers/${box}/wait HTTP/1.1\r\nHost: x\r\n\r\n`],
    ['events', async () => 'GET /events HTTP/1.1\r\nHost: x\r\n\r\n'],
    [
      'exec',
      async () => {
        const made = await home.call('POST', `/containers/${box}/exec`, {
          Cmd: ['cat'],
          AttachStdin: true,
          AttachStdout: true,
        });
        const { Id } = made.body as { Id: string };
        return `POST /exec/${Id}/start HTTP/1.1\r\n${UPGRADE}Content-Length: 2\r\n\r\n{}`;
      },
    ],
    [
      'a document',
      async () =>
        'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"Image":',
    ],
    [
      'an upload',
      async () =>
        'POST /images/load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf',
    ],
  ])(
    'leaves the box unchanged when a client vanishes at any moment of %s',
    async (_name, request) => {
      const bytes = await request();
      for (const cut of [1, Math.floor(bytes.length / 2), bytes.length - 1, bytes.length]) {
        const socket = dial();
        socket.write(bytes.slice(0, cut));
        await home.call('GET', '/_ping');
        socket.destroy();
      }
      const { body } = await home.call('GET', `/containers/${box}/json`);
      expect(body).toMatchObject({ State: { Running: true } });
      expect((await home.call('GET', '/containers/json?all=1')).body).toHaveLength(1);
    },
  );

  it('answers two hundred parallel requests of one client', async () => {
    const calls = Array.from({ length: 200 }, (_, index) =>
      home.call('GET', index % 2 === 0 ? `/containers/${box}/json` : '/containers/json'),
    );
    for (const { status } of await Promise.all(calls)) expect(status).toBe(200);
  });
});
