import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import type { Command } from './command.ts';
import * as frames from './spdy/frames.ts';
import type { StreamTarget } from './stream-target.ts';
import { StreamingServer } from './streaming-server.ts';
import { type OpenedStream, openStream, SPDY_HEADERS } from './testing/open-stream.ts';
import { HeaderWriter, SpdyClient } from './testing/spdy-client.ts';
import { Tokens } from './tokens.ts';

let server: StreamingServer;
let errors: unknown[];
let time: number;
const sockets: Duplex[] = [];

beforeEach(async () => {
  // A client that ends with its test has errors later.
  const own: unknown[] = [];
  errors = own;
  time = 0;
  const log = { error: (_: string, error: unknown) => void own.push(error) };
  server = await StreamingServer.listen(log, undefined, new Tokens<StreamTarget>(() => time));
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

async function open(...request: Parameters<typeof openStream>): Promise<OpenedStream> {
  const opened = await openStream(...request);
  sockets.push(opened.socket);
  return opened;
}

function exec(serve: Command['serve'], shape: Partial<Omit<Command, 'serve'>> = {}): StreamTarget {
  const streams = { stdin: false, stdout: true, stderr: true, terminal: false };
  return { kind: 'exec', command: { ...streams, ...shape, serve } };
}

const nothing = exec(async () => 0);
const V4 = [...SPDY_HEADERS, 'X-Stream-Protocol-Version: v4.channel.k8s.io'];

async function connected(target: StreamTarget, headers = V4): Promise<SpdyClient> {
  const { socket, status } = await open(server.url(target), headers);
  expect(status).toBe(101);
  return new SpdyClient(socket);
}

/** Opens streams of these types, and returns their ids. */
async function streams<T extends string>(
  client: SpdyClient,
  ...types: readonly T[]
): Promise<Record<T, number>> {
  const ids: Partial<Record<T, number>> = {};
  for (const streamtype of types) ids[streamtype] = await client.open({ streamtype });
  return ids as Record<T, number>;
}

/** Frames that open streams of these types, whose ids are 1, 3 and so on. */
async function openings(...types: readonly string[]): Promise<Buffer> {
  const headers = new HeaderWriter();
  const opened: Buffer[] = [];
  for (const [index, streamtype] of types.entries()) {
    const rest = Buffer.concat([Buffer.alloc(2), await headers.block({ streamtype })]);
    opened.push(frames.controlFrame(frames.SYN_STREAM, [2 * index + 1, 0], rest));
  }
  return Buffer.concat(opened);
}

describe('a URL', () => {
  it('leads to the loopback, with a token of 256 bits that no other URL has', () => {
    const urls = [server.url(nothing), server.url(nothing)];
    for (const url of urls) expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{43}$/);
    expect(urls[0]).not.toBe(urls[1]);
  });

  it('serves one request, whatever came of that', async () => {
    const url = server.url(nothing);
    expect((await open(url, [])).status).toBe(400);
    expect((await open(url, V4)).status).toBe(404);
    const used = server.url(nothing);
    expect((await open(used, V4)).status).toBe(101);
    expect((await open(used, V4)).status).toBe(404);
  });

  it('expires after a minute', async () => {
    const [early, late] = [server.url(nothing), server.url(nothing)];
    time = 59_999;
    expect((await open(early, V4)).status).toBe(101);
    time = 60_000;
    expect((await open(late, V4)).status).toBe(404);
  });

  it.each([
    ['PUT', (url: string) => url, 405],
    ['POST', (url: string) => url.replace('/exec/', '/attach/'), 404],
    ['POST', (url: string) => `${url}A`, 404],
    ['POST', (url: string) => url.replace(/.{43}$/, 'A'.repeat(43)), 404],
    ['POST', (url: string) => `${new URL(url).origin}/`, 404],
  ])('serves no %s of another one', async (method, change, status) => {
    expect((await open(change(server.url(nothing)), V4, method)).status).toBe(status);
  });

  it('waits where a thousand others do, until they have expired', () => {
    for (let index = 0; index < 1000; index += 1) server.url(nothing);
    expect(() => server.url(nothing)).toThrow(expect.objectContaining({ code: 'streams-busy' }));
    time = 60_000;
    expect(server.url(nothing)).toContain('/exec/');
  });
});

it('drops the oldest connection that asks for nothing where 256 are open', async () => {
  const client = await connected(nothing);
  const { hostname, port } = new URL(server.url(nothing));
  const idle: Socket[] = [];
  for (let index = 0; index < 256; index += 1) {
    const socket = connect(Number(port), hostname);
    sockets.push(socket.resume().on('error', () => undefined));
    await once(socket, 'connect');
    idle.push(socket);
  }
  expect((await open(server.url(nothing), V4)).status).toBe(101);
  await expect.poll(() => idle[1]?.destroyed, { timeout: 10_000 }).toBe(true);
  expect(idle.at(-1)?.destroyed).toBe(false);
  const ids = await streams(client, 'error', 'stdout', 'stderr');
  await client.until(() => client.of(ids.error).ended);
});

it('refuses protocols that it does not speak, and names those that it does', async () => {
  const asked = [...SPDY_HEADERS, 'X-Stream-Protocol-Version: v9.channel.k8s.io'];
  const { status, head } = await open(server.url(nothing), asked);
  expect(status).toBe(403);
  expect(head).toContain(
    'X-Accepted-Stream-Protocol-Versions: v4.channel.k8s.io, v3.channel.k8s.io, v2.channel.k8s.io, channel.k8s.io',
  );
  const other = ['Connection: Upgrade', 'Upgrade: h2c'];
  expect((await open(server.url(nothing), other)).status).toBe(400);
});

describe('a command over SPDY', () => {
  it('gets its input, and sends its outputs apart and its exit code as a status', async () => {
    const target = exec(
      async ({ input, write }) => {
        for await (const bytes of input) await write(1, bytes);
        await write(2, Buffer.from('complaint'));
        return 3;
      },
      { stdin: true },
    );
    const client = await connected(target);
    const ids = await streams(client, 'error', 'stdin', 'stdout', 'stderr');
    client.send(ids.stdin, 'to and ');
    client.send(ids.stdin, 'fro', true);
    await client.until(() => client.of(ids.error).ended);
    expect(client.text(ids.stdout)).toBe('to and fro');
    expect(client.text(ids.stderr)).toBe('complaint');
    expect(client.of(ids.stdout).ended && client.of(ids.stderr).ended).toBe(true);
    expect(JSON.parse(client.text(ids.error))).toEqual({
      ...{ metadata: {}, status: 'Failure', reason: 'NonZeroExitCode' },
      message: 'command terminated with non-zero exit code: exit status 3',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
    await client.until(() => client.closed);
    expect(errors).toEqual([]);
  });

  it.each([
    ['v4.channel.k8s.io', '{"metadata":{},"status":"Success"}'],
    ['v3.channel.k8s.io', ''],
    ['v2.channel.k8s.io', ''],
    ['channel.k8s.io', ''],
  ])('ends in %s with %s where it succeeds', async (protocol, text) => {
    const asked = [...SPDY_HEADERS, `X-Stream-Protocol-Version: ${protocol}`];
    const client = await connected(nothing, asked);
    const ids = await streams(client, 'error', 'stdout', 'stderr');
    await client.until(() => client.of(ids.error).ended);
    expect(client.text(ids.error)).toBe(text);
  });

  it('says to a client that names no version why it failed', async () => {
    const target = exec(async () => {
      throw new A3sError('box-not-running', 'Container c1 is not running');
    });
    const client = await connected(target, SPDY_HEADERS);
    const ids = await streams(client, 'error', 'stdout', 'stderr');
    await client.until(() => client.of(ids.error).ended);
    expect(client.text(ids.error)).toBe('Container c1 is not running (box-not-running)');
    expect(errors).toEqual([]);
  });

  it('logs what fails in a way that was not foreseen, and says no more of it', async () => {
    const failure = new Error('a secret');
    const target = exec(async () => {
      throw failure;
    });
    const client = await connected(target, SPDY_HEADERS);
    const ids = await streams(client, 'error', 'stdout', 'stderr');
    await client.until(() => client.of(ids.error).ended);
    expect(client.text(ids.error)).not.toContain('secret');
    expect(errors).toEqual([failure]);
  });

  it('gets the sizes of a terminal, and sends both outputs as one', async () => {
    const target = exec(
      async ({ sizes, write }) => {
        for await (const { rows, columns } of sizes) {
          await write(1, Buffer.from(`${rows}x${columns} `));
          await write(2, Buffer.from('never seen'));
        }
        return 0;
      },
      { stderr: false, terminal: true },
    );
    const client = await connected(target);
    const ids = await streams(client, 'error', 'stdout', 'resize');
    client.send(ids.resize, '{"Width":80,"Hei');
    // A window that is not shown has no size: containerd ignores it too.
    client.send(ids.resize, 'ght":24}\n{"Width":0,"Height":0}\n{"Width":7}\n');
    client.send(ids.resize, '{"Width":132,"Height":50}\n', true);
    await client.until(() => client.of(ids.error).ended);
    expect(client.text(ids.stdout)).toBe('24x80 50x132 ');
  });

  it('resets streams that the command has not, and those that come twice', async () => {
    const client = await connected(exec(async () => 0, { stderr: false }));
    const ids = await streams(client, 'stderr', 'error');
    const again = await client.open({ streamtype: 'error' });
    await client.until(() => client.of(again).reset !== undefined);
    expect(client.of(ids.stderr).reset).toBeDefined();
  });

  it('gets what its client has sent that is gone, and then runs on', async () => {
    let given = '';
    let ended = (): void => undefined;
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const target = exec(
      async ({ input, gone, write }) => {
        if (!gone.aborted) await once(gone, 'abort');
        for await (const bytes of input) given += Buffer.from(bytes).toString();
        // Nobody reads it, and nobody waits.
        await write(1, Buffer.alloc(1_000_000));
        ended();
        return 0;
      },
      { stdin: true },
    );
    const client = await connected(target);
    const ids = await streams(client, 'error', 'stdin', 'stdout', 'stderr');
    client.send(ids.stdin, 'last words');
    client.socket.end();
    await end;
    expect(given).toBe('last words');
    expect(errors).toEqual([]);
  });

  it('waits for a client that takes no output', async () => {
    let written = 0;
    const target = exec(async ({ write, gone }) => {
      while (!gone.aborted) {
        await write(1, Buffer.alloc(64 * 1024));
        written += 1;
      }
      return 0;
    });
    const early = await openings('error', 'stdout', 'stderr');
    const { socket } = await open(server.url(target), V4, 'POST', early);
    // It stops once every buffer on the way is full.
    for (let before = -1; before !== written || written === 0; ) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const stalled = written;
    expect(stalled).toBeLessThan(1000);
    const client = new SpdyClient(socket);
    await client.until(() => written > stalled);
    socket.destroy();
  });

  it('starts also where its streams follow the request in the same packet', async () => {
    const early = await openings('error', 'stdout', 'stderr');
    const { socket } = await open(server.url(nothing), V4, 'POST', early);
    const client = new SpdyClient(socket);
    await client.until(() => client.of(1).ended);
    expect(JSON.parse(client.text(1))).toEqual({ metadata: {}, status: 'Success' });
  });
});

describe('port forwarding', () => {
  const FORWARD = [...SPDY_HEADERS, 'X-Stream-Protocol-Version: portforward.k8s.io'];

  async function pair(client: SpdyClient, requestid: string, port: string) {
    const error = await client.open({ streamtype: 'error', requestid, port }, frames.FIN);
    const data = await client.open({ streamtype: 'data', requestid, port });
    return { error, data };
  }

  /** Serves connections as a program in the pod does. */
  async function inPod(serve: (socket: Socket) => void) {
    const listener = createServer({ allowHalfOpen: true }, serve);
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as { port: number };
    const dial = async (): Promise<Socket> => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      await once(socket, 'connect');
      return socket;
    };
    return { listener, dial };
  }

  const shout = (socket: Socket): void => {
    socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()));
    socket.on('end', () => socket.end('.'));
  };

  it('carries connections to the ports that their streams name, side by side', async () => {
    const { listener, dial: reach } = await inPod(shout);
    const asked: number[] = [];
    const dial = async (number: number): Promise<Socket> => {
      asked.push(number);
      return await reach();
    };
    const client = await connected(
      { kind: 'portforward', portForward: { ports: [], dial } },
      FORWARD,
    );
    const [first, second] = [await pair(client, '1', '8080'), await pair(client, '2', '9090')];
    client.send(second.data, 'two', true);
    client.send(first.data, 'one', true);
    await client.until(() => client.of(first.data).ended && client.of(second.data).ended);
    expect(client.text(first.data)).toBe('ONE.');
    expect(client.text(second.data)).toBe('TWO.');
    expect(asked).toEqual([8080, 9090]);
    await client.until(() => client.of(first.error).ended);
    expect(client.text(first.error)).toBe('');
    listener.close();
  });

  it('goes on after a port that is refused, whatever its client has sent to it', async () => {
    const { listener, dial: reach } = await inPod(shout);
    const dial = async (number: number): Promise<Socket> => {
      if (number === 80) return await reach();
      throw new A3sError('conflict', 'connection refused');
    };
    const client = await connected(
      { kind: 'portforward', portForward: { ports: [], dial } },
      FORWARD,
    );
    const refused = await pair(client, '1', '81');
    client.send(refused.data, Buffer.alloc(200_000));
    const served = await pair(client, '2', '80');
    client.send(served.data, 'next', true);
    await client.until(() => client.of(served.data).ended);
    expect(client.text(served.data)).toBe('NEXT.');
    expect(client.text(refused.error)).toContain('connection refused');
    listener.close();
  });

  it('closes the connection of a stream that its client resets, though the pod writes on', async () => {
    let accepted: Socket | undefined;
    const { listener, dial } = await inPod((socket) => {
      accepted = socket.on('error', () => undefined);
      const write = (): void => {
        while (socket.write(Buffer.alloc(4096)));
      };
      socket.on('drain', write);
      write();
    });
    const client = await connected(
      { kind: 'portforward', portForward: { ports: [], dial } },
      FORWARD,
    );
    const { data } = await pair(client, '1', '80');
    await client.until(() => client.of(data).bytes.length > 0);
    client.socket.write(frames.controlFrame(frames.RST_STREAM, [data, frames.CANCEL]));
    await expect.poll(() => accepted?.destroyed, { timeout: 10_000 }).toBe(true);
    expect(client.closed).toBe(false);
    listener.close();
  });

  it('says over the stream of errors why a port cannot be reached', async () => {
    const dial = async (): Promise<Socket> => {
      throw new A3sError('conflict', 'connect to port 1: connection refused');
    };
    const target: StreamTarget = { kind: 'portforward', portForward: { ports: [1], dial } };
    const client = await connected(target, FORWARD);
    for (const [index, port, message] of [
      ['1', '1', 'connect to port 1: connection refused (conflict)'],
      ['2', '2', 'port 2 is not one of those that were asked for (invalid-argument)'],
      ['3', '0', '0 is no port (invalid-argument)'],
      ['4', 'http', 'http is no port (invalid-argument)'],
    ] as const) {
      const { error, data } = await pair(client, index, port);
      await client.until(() => client.of(error).ended && client.of(data).ended);
      expect(client.text(error)).toBe(`error forwarding port ${port}: ${message}`);
    }
  });

  it('resets a stream without a request, of another type, and a second half of one kind', async () => {
    const dial = async (): Promise<Socket> => connect(1);
    const target: StreamTarget = { kind: 'portforward', portForward: { ports: [], dial } };
    const client = await connected(target, FORWARD);
    const refused = [
      await client.open({ streamtype: 'data', port: '1' }),
      await client.open({ streamtype: 'other', port: '1', requestid: '1' }),
    ];
    await client.open({ streamtype: 'data', port: '1', requestid: '2' });
    refused.push(await client.open({ streamtype: 'data', port: '1', requestid: '2' }));
    for (const id of refused) await client.until(() => client.of(id).reset !== undefined);
  });
});
