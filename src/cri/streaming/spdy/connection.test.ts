import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { duplexPair } from '../../../engine/testing/duplex-pair.ts';
import { SpdyClient } from '../testing/spdy-client.ts';
import { SpdyConnection, type SpdyOptions } from './connection.ts';
import * as frames from './frames.ts';
import { type SpdyStream, WINDOW_BYTES } from './stream.ts';

interface Served {
  readonly client: SpdyClient;
  readonly connection: SpdyConnection;
  readonly streams: SpdyStream[];
  readonly served: Promise<void>;
}

function serve(
  options: Partial<SpdyOptions> = {},
  [near, far]: readonly [Duplex, Duplex] = duplexPair(),
): Served {
  const streams: SpdyStream[] = [];
  const connection = new SpdyConnection(
    { input: near.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>, output: near },
    { maxStreams: 8, onStream: (stream) => void streams.push(stream), ...options },
  );
  return { client: new SpdyClient(far), connection, streams, served: connection.serve() };
}

async function opened({ client, streams }: Served, headers = { streamtype: 'data' }) {
  const id = await client.open(headers);
  await client.until(() => client.of(id).replied);
  const stream = streams.find((candidate) => candidate.id === id);
  if (stream === undefined) throw new Error('the stream was not opened');
  return { id, stream };
}

async function read(stream: SpdyStream): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream.input) parts.push(part);
  return Buffer.concat(parts);
}

it('carries streams both ways, with their headers, and ends each direction by itself', async () => {
  const served = serve();
  const { client } = served;
  const { id, stream } = await opened(served);
  expect(stream.headers.get('streamtype')).toBe('data');
  client.send(id, 'question', true);
  expect((await read(stream)).toString()).toBe('question');
  await stream.write(Buffer.from('answer'));
  await stream.end();
  await client.until(() => client.of(id).ended);
  expect(client.text(id)).toBe('answer');
  await served.connection.close();
  client.socket.end();
  await served.served;
});

it('answers pings of the client’s, and ignores frames that it does not know', async () => {
  const served = serve();
  const { client } = served;
  client.socket.write(frames.controlFrame(99, [1, 2, 3]));
  client.socket.write(frames.controlFrame(frames.PING, [6]));
  client.socket.write(frames.controlFrame(frames.PING, [7]));
  await client.until(() => client.control.length > 0);
  expect(client.control).toEqual([{ type: frames.PING, payload: Buffer.from([0, 0, 0, 7]) }]);
  client.socket.destroy();
  await served.served;
});

it('lets a client send on that honours windows, while a reader takes what comes', async () => {
  const served = serve();
  const { client } = served;
  const { id, stream } = await opened(served);
  const sent = randomBytes(5 * WINDOW_BYTES);
  const reading = read(stream);
  let room = WINDOW_BYTES;
  for (let at = 0; at < sent.length; ) {
    const updates = client.control.filter(
      ({ type, payload }) => type === frames.WINDOW_UPDATE && payload.readUInt32BE(0) === id,
    );
    room = updates.reduce((sum, { payload }) => sum + payload.readUInt32BE(4), WINDOW_BYTES) - at;
    if (room <= 0) {
      const known = client.control.length;
      await client.until(() => client.control.length > known);
      continue;
    }
    const part = sent.subarray(at, at + Math.min(room, 10_000));
    client.send(id, part);
    at += part.length;
  }
  client.send(id, '', true);
  expect((await reading).equals(sent)).toBe(true);
  client.socket.destroy();
  await served.served;
});

it('reads no more of a client without windows than waits for a reader', async () => {
  const served = serve();
  const { client } = served;
  const { id, stream } = await opened(served);
  const sent = randomBytes(40 * WINDOW_BYTES);
  for (let at = 0; at < sent.length; at += 16_384) client.send(id, sent.subarray(at, at + 16_384));
  client.send(id, '', true);
  const other = await client.open({ streamtype: 'late' });
  await new Promise((resolve) => setImmediate(resolve));
  expect(client.of(other).replied).toBe(false);
  expect(stream.input.readableLength).toBeLessThan(4 * WINDOW_BYTES);
  expect((await read(stream)).equals(sent)).toBe(true);
  await client.until(() => client.of(other).replied);
  client.socket.destroy();
  await served.served;
});

it('sends what the client’s windows permit, once it has shown that it has them', async () => {
  const served = serve();
  const { client } = served;
  const { id, stream } = await opened(served);
  const settings = Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from([0, 0, 0, 10])]);
  client.socket.write(frames.controlFrame(frames.SETTINGS, [1], settings));
  client.socket.write(frames.controlFrame(frames.PING, [1]));
  await client.until(() => client.control.length > 0);
  const writing = stream.write(Buffer.alloc(25, 'x'));
  await client.until(() => client.text(id).length === 10);
  client.socket.write(frames.controlFrame(frames.WINDOW_UPDATE, [id, 10]));
  await client.until(() => client.text(id).length === 20);
  client.socket.write(frames.controlFrame(frames.WINDOW_UPDATE, [id, 100]));
  await writing;
  await client.until(() => client.text(id).length === 25);
  client.socket.destroy();
  await served.served;
});

it('refuses streams beyond their number, and goes on', async () => {
  const served = serve({ maxStreams: 1 });
  const { client } = served;
  await opened(served);
  const second = await client.open({});
  await client.until(() => client.of(second).reset !== undefined);
  expect(client.of(second).reset).toBe(frames.REFUSED_STREAM);
  client.send(second, 'ignored');
  client.socket.write(frames.controlFrame(frames.PING, [3]));
  await client.until(() => client.control.some(({ type }) => type === frames.PING));
  client.socket.destroy();
  await served.served;
});

it('gives a reader what a client has sent that is gone', async () => {
  const served = serve();
  const { client } = served;
  const { id, stream } = await opened(served);
  client.send(id, 'last words');
  client.socket.end();
  await served.served;
  expect(served.connection.gone.aborted).toBe(true);
  expect((await read(stream)).toString()).toBe('last words');
  // Nobody takes it, and nobody waits.
  await stream.write(Buffer.alloc(1_000_000));
});

it('notices by pings that a client is gone whose input nobody takes', async () => {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const far = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [near] = (await once(listener, 'connection')) as [Duplex];
  const served = serve({ pingMs: 5 }, [near, far]);
  const { client } = served;
  const { id } = await opened(served);
  client.send(id, Buffer.alloc(40 * WINDOW_BYTES));
  const pings = () => client.control.filter(({ type }) => type === frames.PING);
  await client.until(() => pings().length > 1);
  for (const { payload } of pings()) expect(payload.readUInt32BE(0) % 2).toBe(0);
  far.destroy();
  await served.served;
  expect(served.connection.gone.aborted).toBe(true);
  listener.close();
});

it('cuts off a client that does not close the connection after it has ended', async () => {
  const [near, far] = duplexPair();
  const input = near.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  const options = { maxStreams: 1, onStream: () => undefined, lingerMs: 5 };
  const connection = new SpdyConnection({ input, output: near }, options);
  const served = connection.serve();
  // The client reads, and keeps its side open.
  far.resume();
  await connection.close();
  if (!near.destroyed) await once(near, 'close');
  await served;
  expect(connection.gone.aborted).toBe(true);
});

it('lets nobody wait for a client that has reset its stream', async () => {
  const served = serve();
  const { client } = served;
  const { id, stream } = await opened(served);
  client.socket.write(
    frames.controlFrame(frames.SETTINGS, [1], Buffer.from('0000000700000000', 'hex')),
  );
  client.socket.write(frames.controlFrame(frames.PING, [1]));
  await client.until(() => client.control.length > 0);
  const writing = stream.write(Buffer.from('waits for room'));
  client.socket.write(frames.controlFrame(frames.RST_STREAM, [id, frames.CANCEL]));
  await writing;
  expect(client.text(id)).toBe('');
  client.socket.destroy();
  await served.served;
});

const syn = (id: number, block: Buffer): Buffer =>
  frames.controlFrame(frames.SYN_STREAM, [id, 0], Buffer.concat([Buffer.alloc(2), block]));

it.each<[string, (client: SpdyClient) => Promise<Buffer>]>([
  ['a control frame of 16 MB', async () => Buffer.from('8003000100ffffff', 'hex')],
  ['another version', async () => Buffer.from('800200060000000400000001', 'hex')],
  ['a stream with an even id', async ({ headers }) => syn(2, await headers.block({}))],
  ['a frame that is too short', async () => frames.controlFrame(frames.SYN_STREAM, [1])],
  ['headers that are no zlib', async () => syn(1, Buffer.from('no zlib'))],
  [
    'headers that unpack to 10 MB',
    async ({ headers }) => syn(1, await headers.raw(Buffer.alloc(10_000_000))),
  ],
  ['settings of another length', async () => frames.controlFrame(frames.SETTINGS, [5])],
  ['a reply to no stream', async () => frames.controlFrame(frames.SYN_REPLY, [1])],
  [
    'headers that do not end',
    async ({ headers }) => {
      const blocks: Buffer[] = [];
      for (let index = 0; index < 20; index += 1) {
        blocks.push(frames.controlFrame(frames.HEADERS, [1], await headers.block({ a: 'b' })));
      }
      return Buffer.concat(blocks);
    },
  ],
])('ends the connection after %s', async (_, make) => {
  const { client, served, streams } = serve();
  client.socket.write(await make(client));
  await served;
  await client.until(() => client.closed);
  expect(client.control.at(-1)).toMatchObject({ type: frames.GOAWAY });
  expect(client.control.at(-1)?.payload.readUInt32BE(4)).toBe(frames.GOAWAY_PROTOCOL_ERROR);
  expect(streams).toEqual([]);
});

it('ends the connection after an id that is used again', async () => {
  const served = serve();
  const { client } = served;
  await opened(served);
  client.socket.write(syn(1, await client.headers.block({})));
  await served.served;
  await client.until(() => client.closed);
  expect(client.control.at(-1)?.payload.readUInt32BE(4)).toBe(frames.GOAWAY_PROTOCOL_ERROR);
});

it('holds back a client that pings and reads nothing', async () => {
  const [near, far] = duplexPair();
  const connection = new SpdyConnection(
    { input: near.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>, output: near },
    { maxStreams: 1, onStream: () => undefined },
  );
  const served = connection.serve();
  const pings = Buffer.concat(
    Array.from({ length: 1000 }, () => frames.controlFrame(frames.PING, [1])),
  );
  let taken = 0;
  for (; taken < 1000 && far.write(pings); taken += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(taken).toBeLessThan(1000);
  far.destroy();
  near.destroy();
  await served;
});
