import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArrivingBytes } from '../../arriving-bytes.ts';
import { duplexPair } from '../../engine/testing/duplex-pair.ts';
import { BINARY, CLOSE, frameOf, PING } from '../../web-socket/frames.ts';
import { maskedFrame } from '../../web-socket/testing/masked-frame.ts';
import type { Command } from './command.ts';
import { FIN } from './spdy/frames.ts';
import type { StreamTarget } from './stream-target.ts';
import { StreamingServer } from './streaming-server.ts';
import { openStream, WEB_SOCKET_HEADERS } from './testing/open-stream.ts';
import { SpdyClient } from './testing/spdy-client.ts';
import { openWebSocketCommand } from './web-socket-command.ts';

let server: StreamingServer;
let errors: unknown[];
const sockets: Duplex[] = [];

beforeEach(async () => {
  errors = [];
  server = await StreamingServer.listen({
    error: (_: string, error: unknown) => void errors.push(error),
  });
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

const protocol = (name: string) => [...WEB_SOCKET_HEADERS, `Sec-WebSocket-Protocol: ${name}`];

async function open(target: StreamTarget, name: string): Promise<Socket> {
  const { socket, status, head } = await openStream(server.url(target), protocol(name), 'GET');
  sockets.push(socket);
  expect(status).toBe(101);
  expect(head).toContain(`Sec-WebSocket-Protocol: ${name}\r\n`);
  return socket;
}

function exec(serve: Command['serve'], shape: Partial<Omit<Command, 'serve'>> = {}): StreamTarget {
  const streams = { stdin: true, stdout: true, stderr: true, terminal: false };
  return { kind: 'exec', command: { ...streams, ...shape, serve } };
}

const send = (socket: Socket, channel: number, text: string | Uint8Array): void => {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  socket.write(maskedFrame(BINARY, Buffer.concat([Buffer.from([channel]), bytes])));
};

/** All messages up to the closing frame, joined by their channels; `status` is the frame's. */
async function messages(socket: Socket): Promise<{ channels: string[]; status: number }> {
  const bytes = new ArrivingBytes(socket as AsyncIterable<Buffer>);
  const channels: string[] = [];
  for (;;) {
    const [first = 0, short = 0] = await bytes.exactly(2);
    const length = short === 126 ? (await bytes.exactly(2)).readUInt16BE() : short;
    const payload = await bytes.exactly(length);
    if ((first & 0xf) === CLOSE) return { channels, status: payload.readUInt16BE() };
    const channel = payload[0] ?? -1;
    channels[channel] = `${channels[channel] ?? ''}${payload.subarray(1).toString()}`;
  }
}

async function serve({ input, write }: Parameters<Command['serve']>[0]): Promise<number> {
  for await (const bytes of input) await write(1, bytes);
  await write(2, Buffer.from('complaint'));
  return 3;
}

describe('a command over a WebSocket', () => {
  it('carries its streams in channels, and ends its input by the signal of version 5', async () => {
    const socket = await open(exec(serve), 'v5.channel.k8s.io');
    send(socket, 0, 'to and ');
    send(socket, 0, 'fro');
    send(socket, 255, Buffer.from([0]));
    const { channels, status } = await messages(socket);
    expect(channels[1]).toBe('to and fro');
    expect(channels[2]).toBe('complaint');
    expect(JSON.parse(channels[3] ?? '')).toMatchObject({
      ...{ status: 'Failure', reason: 'NonZeroExitCode' },
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
    expect(status).toBe(1000);
    expect(errors).toEqual([]);
  });

  it('knows no such signal in version 4, where only the client’s end ends the input', async () => {
    let given = '';
    let ended = (): void => undefined;
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const target = exec(async ({ input }) => {
      for await (const bytes of input) given += Buffer.from(bytes).toString();
      ended();
      return 0;
    });
    const socket = await open(target, 'v4.channel.k8s.io');
    send(socket, 0, 'a');
    send(socket, 255, Buffer.from([0]));
    send(socket, 0, 'b');
    socket.write(maskedFrame(CLOSE, Buffer.alloc(0)));
    await end;
    expect(given).toBe('ab');
  });

  it('gets the sizes of a terminal, and takes messages in any pieces', async () => {
    const target = exec(
      async ({ sizes, write }) => {
        for await (const { rows, columns } of sizes) {
          await write(1, Buffer.from(`${rows}x${columns}`));
          return 0;
        }
        return 1;
      },
      { stderr: false, terminal: true },
    );
    const socket = await open(target, 'v5.channel.k8s.io');
    socket.write(maskedFrame(BINARY, Buffer.from([4]), false));
    socket.write(maskedFrame(0, Buffer.from('{"Width":80,'), false));
    socket.write(maskedFrame(0, Buffer.from('"Height":24}')));
    expect((await messages(socket)).channels[1]).toBe('24x80');
  });

  it('ignores messages without a channel, and those of channels that are the server’s', async () => {
    const socket = await open(exec(serve), 'v5.channel.k8s.io');
    socket.write(maskedFrame(BINARY, Buffer.alloc(0)));
    for (const channel of [1, 2, 3, 9, 254]) send(socket, channel, 'x'.repeat(100_000));
    send(socket, 255, Buffer.alloc(0));
    send(socket, 255, Buffer.from([0]));
    expect((await messages(socket)).channels[1]).toBe('');
  });

  it('drops an input that the command has not, and notices that its client is gone', async () => {
    let left = (): void => undefined;
    const leaving = new Promise<void>((resolve) => {
      left = resolve;
    });
    const target = exec(
      async ({ gone }) => {
        if (!gone.aborted) await once(gone, 'abort');
        left();
        return 0;
      },
      { stdin: false },
    );
    const socket = await open(target, 'v5.channel.k8s.io');
    for (const channel of [0, 4]) send(socket, channel, Buffer.alloc(300_000));
    socket.write(maskedFrame(CLOSE, Buffer.alloc(0)));
    await leaving;
  });

  it('pings a client whose input nobody takes', async () => {
    const [near, far] = duplexPair();
    const input = near.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    const shape = { stdin: true, stdout: false, stderr: false, terminal: false };
    const { gone } = openWebSocketCommand({ input, output: near }, 5, shape, 5);
    far.write(maskedFrame(BINARY, Buffer.alloc(300_000)));
    const ping = frameOf(PING, Buffer.alloc(0));
    let sent = Buffer.alloc(0);
    for await (const bytes of far.iterator({ destroyOnReturn: false })) {
      sent = Buffer.concat([sent, bytes]);
      if (sent.subarray(-ping.length).equals(ping)) break;
    }
    far.destroy();
    if (!gone.aborted) await once(gone, 'abort');
  });

  it('cuts off a client that does not close the connection after it has ended', async () => {
    const [near, far] = duplexPair();
    const input = near.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    const shape = { stdin: true, stdout: false, stderr: false, terminal: false };
    const { end, gone } = openWebSocketCommand({ input, output: near }, 5, shape, 5, 5);
    far.resume();
    await end({ metadata: {}, status: 'Success' });
    if (!gone.aborted) await once(gone, 'abort');
  });

  it('ends with a client that breaks the protocol', async () => {
    let gone: AbortSignal | undefined;
    const target = exec(async (client) => {
      gone = client.gone;
      if (!gone.aborted) await once(gone, 'abort');
      return 0;
    });
    const socket = await open(target, 'v5.channel.k8s.io');
    socket.write(Buffer.from([0x82, 0x01, 0x00]));
    expect((await messages(socket)).status).toBe(1002);
    await once(socket, 'close');
    expect(gone?.aborted).toBe(true);
  });

  it.each(['channel.k8s.io', 'base64.channel.k8s.io', 'v4.base64.channel.k8s.io'])(
    'refuses the protocol %s',
    async (name) => {
      const { status } = await openStream(server.url(exec(serve)), protocol(name), 'GET');
      expect(status).toBe(400);
    },
  );
});

it('forwards ports by SPDY in the messages of a WebSocket', async () => {
  const inPod = createServer((socket) => socket.pipe(socket));
  inPod.listen(0, '127.0.0.1');
  await once(inPod, 'listening');
  const { port } = inPod.address() as { port: number };
  const dial = async (): Promise<Socket> =>
    connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const target: StreamTarget = { kind: 'portforward', portForward: { ports: [], dial } };
  const socket = await open(target, 'SPDY/3.1+portforward.k8s.io');
  const client = new SpdyClient(tunnel(socket));
  const headers = { port: '80', requestid: '1' };
  await client.open({ streamtype: 'error', ...headers }, FIN);
  const data = await client.open({ streamtype: 'data', ...headers });
  client.send(data, 'there and back', true);
  await client.until(() => client.of(data).ended);
  expect(client.text(data)).toBe('there and back');
  inPod.close();
});

/** The bytes in the messages of a WebSocket, from the client's side. */
function tunnel(socket: Socket): Duplex {
  const made = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, written) => {
      socket.write(maskedFrame(BINARY, chunk));
      written();
    },
  });
  const read = async (): Promise<void> => {
    const bytes = new ArrivingBytes(socket as AsyncIterable<Buffer>);
    for (;;) {
      const [, short = 0] = await bytes.exactly(2);
      const length = short === 126 ? (await bytes.exactly(2)).readUInt16BE() : short;
      made.push(await bytes.exactly(length));
    }
  };
  void read().catch(() => made.push(null));
  return made;
}
