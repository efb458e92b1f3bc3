import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { peekClientHello } from './client-hello.ts';

/** What a real client sends first. */
async function helloOf(options: { servername?: string }): Promise<Buffer> {
  return await new Promise((resolve) => {
    const socket = new Duplex({ read: () => undefined, write: (chunk: Buffer) => resolve(chunk) });
    connect({ socket, ...options }).on('error', () => undefined);
  });
}

/** The message with its extensions replaced. */
function withExtensions(extensions: Buffer): Buffer {
  const body = Buffer.concat([
    ...[Buffer.from([3, 3]), Buffer.alloc(32), Buffer.from([0, 0, 2, 0x13, 1, 1, 0])],
    ...[uint16(extensions.length), extensions],
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), uint16(body.length), body]);
  return Buffer.concat([Buffer.from([22, 3, 1]), uint16(message.length), message]);
}
const uint16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const extension = (type: number, data: Buffer): Buffer =>
  Buffer.concat([uint16(type), uint16(data.length), data]);
function serverName(...names: string[]): Buffer {
  const list = Buffer.concat(
    names.map((name) => Buffer.concat([Buffer.from([0]), uint16(name.length), Buffer.from(name)])),
  );
  return extension(0, Buffer.concat([uint16(list.length), list]));
}

describe('the first message of a TLS client', () => {
  it('reads the name of a ClientHello, however it is cut into pieces and records', async () => {
    const hello = await helloOf({ servername: 'WWW.example.org' });
    const name = { state: 'name', name: 'www.example.org' };
    expect(peekClientHello(hello)).toEqual(name);
    for (let length = 0; length < hello.length; length += 1) {
      expect(peekClientHello(hello.subarray(0, length))).toEqual({ state: 'more' });
    }
    const message = hello.subarray(5);
    const records = Array.from({ length: Math.ceil(message.length / 50) }, (_, at) => {
      const part = message.subarray(at * 50, at * 50 + 50);
      return Buffer.concat([Buffer.from([22, 3, 1]), uint16(part.length), part]);
    });
    expect(peekClientHello(Buffer.concat(records))).toEqual(name);
  });

  it.each([
    ['no name', withExtensions(extension(10, Buffer.from([0, 0]))), 'names no server'],
    ['an address', withExtensions(serverName('203.0.113.1')), 'no server by a host name'],
    ['two names', withExtensions(serverName('a.example', 'b.example')), 'no server by a host name'],
    ['a dot at the end', withExtensions(serverName('a.example.')), 'no server by a host name'],
    ['a NUL in the name', withExtensions(serverName('a.example\0.b')), 'no server by a host name'],
    [
      'two extensions',
      withExtensions(Buffer.concat([serverName('a.b'), serverName('a.c')])),
      'malformed',
    ],
    [
      'a hidden name',
      withExtensions(Buffer.concat([serverName('a.b'), extension(0xfe0d, Buffer.alloc(8))])),
      'ECH',
    ],
    ['half an extension', withExtensions(Buffer.from([0, 0, 0, 9, 1])), 'malformed'],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'does not speak TLS'],
    ['SSH', Buffer.from('SSH-2.0-x\r\n'), 'does not speak TLS'],
    ['an alert', Buffer.from([21, 3, 3, 0, 2, 1, 0]), 'does not speak TLS'],
    ['another handshake', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), 'malformed'],
    [
      'records of one byte each',
      Buffer.concat(
        [1, 0, 63, 0, ...Array(80).fill(0)].map((byte) => Buffer.of(22, 3, 1, 0, 1, byte)),
      ),
      'too many records',
    ],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), 'malformed'],
    ['16 MiB', Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255]), 'longer'],
  ])('refuses a first message with %s', (_, bytes, why) => {
    expect(peekClientHello(bytes)).toEqual({ state: 'refused', why: expect.stringContaining(why) });
  });

  it('reads a ClientHello of any bytes without an exception', async () => {
    const seed = await helloOf({ servername: 'www.example.org' });
    let state = 7;
    const random = (below: number): number => {
      state = (state * 48271) % 2147483647;
      return state % below;
    };
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = Buffer.from(seed);
      for (let change = 1 + random(5); change > 0; change -= 1)
        bytes[random(bytes.length)] = random(256);
      peekClientHello(bytes);
    }
  });
});
