// Connections with a correct agent are never ended, whatever is transferred, and however much of
// it.
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import { finished } from 'node:stream/promises';
import { afterEach, expect, test } from 'vitest';
import { encodeFrame } from './frame.ts';
import { Guest } from './guest.ts';
import { GuestConnection } from './http2-connection.ts';
import { OverheadBudget } from './overhead.ts';
import { fakeStreams } from './testing/fake-streams.ts';

const KIB = 1024;
/** The flow control window of one stream. */
const WINDOW = 512 * KIB;
const opened: Guest[] = [];
afterEach(() => {
  for (const guest of opened.splice(0)) guest.close();
});

/**
 * A connection with a small overhead budget, its agent, and the number of bytes that the agent has
 * sent.
 */
function lasting(bytes: number, answer: (stream: ServerHttp2Stream, path: string) => void) {
  const [host, end] = fakeStreams();
  const server = performServerHandshake(end);
  server.on('error', () => server.destroy());
  server.on('stream', (stream, headers) => {
    stream.on('error', () => stream.destroy());
    answer(stream, String(headers[':path']));
  });
  const connection = new GuestConnection(host, new OverheadBudget(WINDOW, bytes));
  connection.version = 4;
  const guest = new Guest(connection);
  opened.push(guest);
  return { guest, received: () => host.bytesRead };
}

/** Resolves when the bytes have been written as a frame of their own. */
const written = (stream: ServerHttp2Stream, bytes: Buffer): Promise<unknown> =>
  new Promise((resolve) => stream.write(bytes, resolve));

test('a connection survives output in pieces of one byte', async () => {
  const [budget, pieces] = [16 * KIB, 5000];
  const { guest, received } = lasting(budget, async (stream) => {
    stream.respond({ ':status': 200 });
    for (let n = 0; n < pieces; n += 1) {
      await written(stream, encodeFrame('stdout', n, Buffer.from('x')));
    }
    stream.end(encodeFrame('end', pieces, Buffer.alloc(0)));
  });
  let bytes = 0;
  for await (const { data } of await guest.output('main', 0)) bytes += data.length;
  expect(bytes).toBe(pieces);
  expect(received() - 17 * pieces).toBeGreaterThan(budget);
});

test('a connection survives a bulk transfer into the box and its window updates', async () => {
  const [budget, piece, pieces] = [4 * KIB, 256 * KIB, 512];
  let taken = 0;
  const { guest, received } = lasting(budget, (stream) => {
    stream.on('data', (chunk: Buffer) => {
      taken += chunk.length;
    });
    stream.on('end', () => {
      stream.respond({ ':status': 200 });
      stream.end('{"closed":true}');
    });
  });
  const stdin = guest.stdin('main');
  const bytes = Buffer.alloc(piece, 'x');
  for (let n = 0; n < pieces; n += 1) {
    await new Promise((resolve) => stdin.write(bytes, resolve));
  }
  stdin.end();
  await finished(stdin);
  expect(taken).toBe(piece * pieces);
  expect(received()).toBeGreaterThan(2 * budget);
});

test('a connection survives many answers without a body', async () => {
  const budget = 4 * KIB;
  const { guest, received } = lasting(budget, (stream) => {
    stream.resume();
    stream.respond({ ':status': 204 }, { endStream: true });
  });
  for (let n = 0; n < 1000; n += 1) await guest.signal('main', 'SIGHUP');
  expect(received()).toBeGreaterThan(2 * budget);
});

test('a connection survives output in flight for readers that have closed', async () => {
  const [budget, readers] = [KIB * KIB, 20];
  const { guest, received } = lasting(budget, (stream) => {
    stream.respond({ ':status': 200 });
    for (let n = 0; n < 8; n += 1) {
      stream.write(encodeFrame('stdout', n * 64 * KIB, Buffer.alloc(64 * KIB)));
    }
  });
  for (let n = 0; n < readers; n += 1) (await guest.output('main', 0)).close();
  for await (const { data } of await guest.output('main', 0)) {
    expect(data.length).toBeGreaterThan(0);
    break;
  }
  expect(received()).toBeGreaterThan(4 * budget);
});

test('requests that wait for the same one keep the order of their bodies', async () => {
  const complete: string[] = [];
  const { guest } = lasting(KIB * KIB, (stream, path) => {
    const take = (): void => void complete.push(path.replace(/\?.*/, ''));
    if (path.includes('output')) {
      take();
      stream.respond({ ':status': 200 });
      return;
    }
    stream.resume();
    stream.on('end', () => {
      take();
      stream.respond({ ':status': 204 }, { endStream: true });
    });
  });
  const env = ['A', 'B', 'C'].map((name) => `${name}=${'x'.repeat(100 * KIB)}`);
  const spec = { args: ['cat'], env, cwd: '/', user: '', terminal: false, stdin: false };
  const signalled = guest.signal('main', 'SIGHUP');
  const started = guest.startProcess('one', spec).catch((error: unknown) => error);
  const output = guest.output('one', 0);
  await signalled;
  (await output).close();
  expect(await started).toMatchObject({ code: 'agent-failed' });
  expect(complete).toEqual([
    '/v1/processes/main/signal',
    '/v1/processes',
    '/v1/processes/one/output',
  ]);
});
