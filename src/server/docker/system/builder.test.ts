import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  performServerHandshake,
} from 'node:http2';
import { connect, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { A3sError } from '../../../errors.ts';
import { END_HEADERS, frame, TYPE } from '../../../guest/testing/raw-guest.ts';
import { makeAuthority } from '../../../tls-proxy/make-authority.ts';
import { TestHome } from '../../testing/home.ts';

const home = new TestHome();
const sockets: Socket[] = [];
beforeAll(async () => {
  await home.start();
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => home.remove());

/** Whose proxies nobody uses. */
const unusedBuilder = {
  ...{ name: 'default', image: 'image', cacheDisk: 'disk', keptBytes: 1000 },
  authority: makeAuthority({ subject: 'a builder', now: Date.now() }),
  ...{ serveProxy: () => () => undefined, serveStepProxy: () => () => undefined, stepProxy: '' },
  blobArchive: () => Promise.reject(new Error('no blob is read')),
};

/** An upgraded connection, as BuildKit's clients request it. */
async function dial(path: string, { config } = home): Promise<Socket> {
  const socket = connect(config.socket);
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n`,
  );
  const [head] = (await once(socket, 'data')) as [Buffer];
  expect(head.toString()).toMatch(/^HTTP\/1\.1 101 /);
  socket.pause();
  // The builder sends its settings first.
  socket.unshift(head.subarray(head.indexOf('\r\n\r\n') + 4));
  return socket;
}

interface Called {
  readonly message: Buffer;
  readonly status: unknown;
  readonly words: unknown;
}

/** One gRPC call with an empty message. */
async function call(connection: ClientHttp2Session, method: string): Promise<Called> {
  const stream = connection.request({
    ...{ ':method': 'POST', ':path': `/moby.buildkit.v1.Control/${method}` },
    ...{ 'content-type': 'application/grpc', te: 'trailers' },
  });
  stream.end(Buffer.alloc(5));
  let said: Record<string, unknown> = {};
  stream.on('response', (headers) => {
    said = { ...said, ...headers };
  });
  stream.on('trailers', (trailers) => {
    said = { ...said, ...trailers };
  });
  const message = await buffer(stream);
  expect(said).toMatchObject({ ':status': 200, 'content-type': 'application/grpc' });
  return { message, status: said['grpc-status'], words: said['grpc-message'] };
}

it('answers BuildKit clients with no workers, and refuses every build in one line', async () => {
  const socket = await dial('/v1.45/grpc');
  const connection = connectHttp2('http://builder', { createConnection: () => socket });
  expect(await call(connection, 'ListWorkers')).toMatchObject({
    ...{ message: Buffer.alloc(5), status: '0' },
  });
  for (const method of ['Solve', 'Status', 'Info', 'Nothing']) {
    const { message, status, words } = await call(connection, method);
    expect(message).toHaveLength(0);
    expect(status).toBe('12');
    expect(words).toBe(
      'Cannot build: this installation has no image of a builder. Make it with npm run setup.',
    );
  }
  connection.close();
  await once(connection, 'close');
});

it('closes only the connection that does not speak HTTP/2 to the builder', async () => {
  const socket = await dial('/grpc');
  socket.resume();
  const ended = once(socket, 'close');
  socket.write('no preface at all, and quite a lot of it'.repeat(10));
  await ended;
  expect((await home.call('GET', '/_ping')).status).toBe(200);
});

it('keeps serving the builder after calls that are reset at once', async () => {
  const socket = await dial('/grpc');
  const [settings] = (await once(socket.resume(), 'data')) as [Buffer];
  expect(settings[3]).toBe(TYPE.settings);
  const path = Buffer.from('/moby.buildkit.v1.Control/ListWorkers');
  // POST, http, an authority and a path, by their numbers in HPACK's static table.
  const start = Buffer.from([0x83, 0x86, 0x01, 1, 0x78, 0x04, path.length]);
  const block = Buffer.concat([start, path]);
  const codes = [0, 8];
  const calls = codes.flatMap((code, index) => [
    frame(TYPE.headers, END_HEADERS, 2 * index + 1, block),
    frame(TYPE.resetStream, 0, 2 * index + 1, Buffer.from([0, 0, 0, code])),
  ]);
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const received: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  // The answer to a ping comes after the calls were handled.
  const ping = frame(TYPE.ping, 0, 0, Buffer.from('the end.'));
  socket.write(Buffer.concat([preface, frame(TYPE.settings, 0, 0), ...calls]));
  socket.write(ping);
  while (!Buffer.concat(received).includes('the end.')) await once(socket, 'data');
  expect((await home.call('GET', '/_ping')).status).toBe(200);
  socket.destroy();
  const connection = connectHttp2('http://builder', {
    createConnection: (
      (next) => () =>
        next
    )(await dial('/grpc')),
  });
  expect(await call(connection, 'ListWorkers')).toMatchObject({ status: '0' });
  connection.close();
  await once(connection, 'close');
});

it('keeps the connection of a build open until its client leaves', async () => {
  const socket = await dial('/session');
  socket.resume();
  const ended = once(socket, 'close');
  socket.write('SETTINGS');
  expect((await home.call('GET', '/_ping')).status).toBe(200);
  expect(socket.destroyed).toBe(false);
  socket.end();
  await ended;
});

it('begins a session before its builder is there, and joins the two then', async () => {
  const [builder, daemon] = duplexPair();
  let start = (): void => undefined;
  const started = new Promise<void>((resolve) => {
    start = resolve;
  });
  const other = new TestHome();
  other.builders = {
    runs: () => true,
    use: async () => {
      await started;
      return { builder: { ...unusedBuilder, dial: async () => builder }, release: () => undefined };
    },
  };
  await other.start();
  try {
    // The client of the build is the server of the session.
    const socket = await dial('/session', other);
    const serving = performServerHandshake(socket);
    serving.on('stream', (stream) => stream.respond({ ':status': 204 }, { endStream: true }));
    await once(serving, 'remoteSettings');
    start();
    const [head] = (await once(daemon, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^POST \/session HTTP\/1\.1\r\n/);
    daemon.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
    const connection = connectHttp2('http://client', { createConnection: () => daemon });
    const asked = connection.request({ ':method': 'POST', ':path': '/files' });
    const [headers] = (await once(asked, 'response')) as [Record<string, unknown>];
    expect(headers[':status']).toBe(204);
    connection.close();
    await once(connection, 'close');
  } finally {
    await other.remove();
  }
});

it('refuses every build with the reason, where the builder cannot be started', async () => {
  const reason = 'Cannot start the builder: its root was not made';
  const other = new TestHome();
  other.builders = {
    runs: () => false,
    use: () => Promise.reject(new A3sError('builder-failed', reason, { remedy: 'Make it.' })),
  };
  await other.start();
  try {
    const connection = connectHttp2('http://builder', {
      createConnection: (
        (next) => () =>
          next
      )(await dial('/grpc', other)),
    });
    expect(await call(connection, 'ListWorkers')).toMatchObject({ status: '0' });
    expect(await call(connection, 'Solve')).toMatchObject({ words: `${reason}. Make it.` });
    connection.close();
    await once(connection, 'close');
    expect(await other.call('POST', '/build')).toMatchObject({
      status: 500,
      body: { code: 'builder-failed', message: reason, remedy: 'Make it.' },
    });
    expect((await other.call('GET', '/_ping')).headers['builder-version']).toBe('2');
  } finally {
    await other.remove();
  }
  expect((await home.call('GET', '/_ping')).headers['builder-version']).toBe('2');
});

it('refuses a build without BuildKit in the same words', async () => {
  expect(await home.call('POST', '/build')).toMatchObject({
    body: {
      code: 'builder-missing',
      message: 'Cannot build: this installation has no image of a builder',
    },
  });
});

it('takes the first of two names of a Dockerfile, and no other field twice', async () => {
  const twice = (name: string) => home.call('POST', `/build?${name}=.dockerfile.1&${name}=FROM+a`);
  expect(await twice('dockerfile')).toMatchObject({ body: { code: 'builder-missing' } });
  expect(await twice('target')).toMatchObject({ body: { code: 'invalid-argument' } });
});

it('starts no builder to prune caches', async () => {
  expect(await home.call('POST', '/build/prune')).toMatchObject({
    ...{ status: 200, body: { CachesDeleted: [], SpaceReclaimed: 0 } },
  });
});
