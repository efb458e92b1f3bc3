import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import * as z from 'zod';
import type { Builder } from '../builder.ts';
import { askBuilder, pruneAll, trimCache } from './builder-api.ts';
import { upgrade } from './upgrade.ts';

let server: Server | undefined;
afterEach(() => server?.close());

/** A builder that answers each request in its own way. */
async function hostile(answer: (connection: Socket, request: string) => void): Promise<Builder> {
  const made = createServer((connection) => {
    connection.on('error', () => undefined);
    connection.once('data', (data) => answer(connection, data.toString()));
  }).listen(0, '127.0.0.1');
  server = made;
  await once(made, 'listening');
  const address = made.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const unused = () => {
    throw new Error('no proxy is served');
  };
  return {
    ...{ name: 'default', serveProxy: unused, authority: { certificate: '', privateKey: '' } },
    ...{
      image: 'image',
      cacheDisk: 'disk',
      keptBytes: 1000,
      serveStepProxy: unused,
      stepProxy: '',
      blobArchive: unused,
    },
    dial: async () => {
      const connection = connect(port, '127.0.0.1');
      await once(connection, 'connect');
      return connection;
    },
  };
}

const signal = new AbortController().signal;
const get = { method: 'GET', path: '/images/json', signal } as const;
const SWITCHING = 'HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';
const BAD = /^Cannot use the builder: /;

it.each([
  ['leaves HTTP', SWITCHING],
  ['hangs up', ''],
  ['answers with no JSON', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx'],
  ['cuts its answer', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]'],
  ['cuts its error', 'HTTP/1.1 500 OK\r\nContent-Length: 9\r\n\r\n[]'],
])('gives up on a builder that %s', async (_, answer) => {
  const builder = await hostile((connection) => {
    if (answer === SWITCHING) connection.write(answer);
    else connection.end(answer);
  });
  const asked = askBuilder(builder, get, z.array(z.unknown()));
  await expect(asked).rejects.toMatchObject({
    ...{ code: 'builder-failed', message: expect.stringMatching(BAD) },
  });
});

it('gives up on a builder that is silent', async () => {
  const builder = await hostile(() => undefined);
  await expect(askBuilder(builder, get, z.unknown(), 50)).rejects.toMatchObject({
    ...{ code: 'builder-failed', message: expect.stringContaining('does not answer within') },
  });
});

/** Sends spaces for as long as they are taken. */
function endless(head: string): (connection: Socket) => void {
  return (connection) => {
    const more = (): void => {
      while (connection.write(Buffer.alloc(64 * 1024, ' ')));
    };
    connection.on('drain', more);
    connection.write(head);
    more();
  };
}

it('reads a bounded part of an endless document', async () => {
  const builder = await hostile(endless('HTTP/1.1 200 OK\r\n\r\n'));
  await expect(askBuilder(builder, get, z.unknown())).rejects.toThrow('more than 4194304 bytes');
});

it.each([
  ['a document', (builder: Builder) => askBuilder(builder, get, z.unknown())],
  ['a connection', (builder: Builder) => upgrade(builder, '/grpc', { upgrade: 'h2c' }, signal)],
])('reads a bounded part of an endless error in place of %s', async (_, ask) => {
  const builder = await hostile(endless('HTTP/1.1 500 X\r\n\r\n'));
  await expect(ask(builder)).rejects.toMatchObject({ code: 'builder-failed' });
});

it('gives up on a builder that hangs up in place of a connection', async () => {
  const builder = await hostile((connection) => connection.end());
  await expect(upgrade(builder, '/grpc', { upgrade: 'h2c' }, signal)).rejects.toMatchObject({
    ...{ code: 'builder-failed', message: expect.stringMatching(BAD) },
  });
});

/** An engine with a container that holds an image, and records of the cache in use for a while. */
function engineWith(left: { cache: number }): (connection: Socket, request: string) => void {
  let [containers, images] = [['c0ffee'], ['image']];
  return (connection, request) => {
    const [, method = '', path = ''] = /^(\w+) (\S+)/.exec(request) ?? [];
    if (method === 'DELETE' && path === '/containers/c0ffee?force=1&v=1') containers = [];
    if (path.startsWith('/images/prune') && containers.length === 0) images = [];
    if (path === '/build/prune?all=1') left.cache -= 1;
    const answer = path.startsWith('/containers/json')
      ? containers.map((Id) => ({ Id }))
      : path.startsWith('/images/json')
        ? images.map((Id) => ({ Id, RepoTags: null }))
        : { BuildCache: Array.from({ length: Math.max(0, left.cache) }, () => ({})) };
    const body = JSON.stringify(answer);
    connection.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  };
}

it('removes containers before the images that they hold, and waits for what is in use', async () => {
  const left = { cache: 2 };
  await pruneAll(await hostile(engineWith(left)), signal);
  expect(left.cache).toBe(0);
});

/** An engine whose cache is in use for so many questions, and what it was asked. */
function engineInUse(questions: number, asked: string[]) {
  return (connection: Socket, request: string): void => {
    const [, method = '', path = ''] = /^(\w+) (\S+)/.exec(request) ?? [];
    asked.push(`${method} ${path}`);
    const inUse = asked.filter((one) => one === 'GET /system/df').length <= questions;
    const body = path === '/system/df' ? JSON.stringify({ BuildCache: [{ InUse: inUse }] }) : '';
    connection.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  };
}

const TRIM = [
  'POST /build/prune?all=1&keep-storage=1000',
  'GET /debug/pprof/heap?gc=1',
  'GET /system/df',
];

it('trims the cache to its size until nothing is in use, with files that nobody closed', async () => {
  const asked: string[] = [];
  await trimCache(await hostile(engineInUse(1, asked)), () => false, signal);
  expect(asked).toEqual([...TRIM, ...TRIM]);
});

it('trims the cache once while builds run, which use some of it', async () => {
  const asked: string[] = [];
  await trimCache(await hostile(engineInUse(9, asked)), () => true, signal);
  expect(asked).toEqual(TRIM.slice(0, 2));
});

it('trims the cache again where the disk had no room for that', async () => {
  const asked: string[] = [];
  const answer = engineInUse(0, asked);
  const builder = await hostile((connection, request) => {
    if (asked.length > 0) answer(connection, request);
    else connection.end('HTTP/1.1 500 X\r\nContent-Length: 7\r\n\r\nno room');
    if (asked.length === 0) asked.push('refused');
  });
  await trimCache(builder, () => false, signal);
  expect(asked).toEqual(['refused', ...TRIM]);
});

it('fails where something remains, with what to do', async () => {
  const builder = await hostile(engineWith({ cache: 100 }));
  await expect(pruneAll(builder, signal)).rejects.toMatchObject({
    code: 'builder-failed',
    message: expect.stringMatching(/95 records of the build cache remain$/),
    remedy: expect.stringContaining('a3s-box builder rm default'),
  });
});
