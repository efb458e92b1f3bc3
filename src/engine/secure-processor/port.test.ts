import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { duplexPair } from '../testing/duplex-pair.ts';
import type { AskedGuest } from './answer.ts';
import { type Clock, Pace } from './pace.ts';
import { converse, ProcessorPort } from './port.ts';

let asked: string[];
const guest: AskedGuest = {
  report: ({ reportData }) => {
    asked.push(Buffer.from(reportData).toString('hex'));
    const certificateTable = new Uint8Array(4096);
    return {
      report: reportData,
      certificateTable,
      evidence: { report: reportData, vek: certificateTable, authorities: [] },
    };
  },
  deriveKey: () => new Uint8Array(32).fill(1),
};
beforeEach(() => {
  asked = [];
});

/** A clock whose sleeps never end. */
const STOPPED: Clock = {
  now: () => 0,
  sleep: (_, signal) =>
    new Promise((__, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    }),
};

function idOf(n: number): string {
  return n.toString(16).padStart(16, '0');
}

function request(n: number): string {
  const reportData = n.toString(16).padStart(128, '0');
  return `\n${JSON.stringify({ id: idOf(n), op: 'report', reportData })}\n`;
}

async function* answers(stream: Duplex): AsyncGenerator<{ id: string }> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line);
  }
}

async function firstAnswer(stream: Duplex): Promise<{ id: string } | undefined> {
  return (await answers(stream).next()).value;
}

describe('a conversation', () => {
  const stop = (): AbortController => new AbortController();
  const free = (): Pace => new Pace({ burst: 10_000, perSecond: 1 }, STOPPED);

  it('continues the conversation after garbage, and after a line without an end', async () => {
    const [host, port] = duplexPair();
    const end = stop();
    const done = converse(host, guest, free(), end.signal).catch(() => undefined);
    port.write('garbage\n{"id":1}\n');
    port.write(`${'x'.repeat(100_000)}\n`);
    port.write(request(7));
    expect(await firstAnswer(port)).toMatchObject({ id: idOf(7) });
    expect(asked).toHaveLength(1);
    end.abort();
    await done;
  });

  it('reads requests no faster than the rate limit allows', async () => {
    const [host, port] = duplexPair();
    const end = stop();
    const pace = new Pace({ burst: 6, perSecond: 1 }, STOPPED);
    const done = converse(host, guest, pace, end.signal).catch(() => undefined);
    for (let n = 1; n <= 1000; n++) port.write(request(n));
    for await (const answer of answers(port)) {
      if (answer.id === idOf(3)) break;
    }
    end.abort();
    await done;
    // Each chunk that is read takes one turn, and each line another.
    expect(asked.length).toBeLessThanOrEqual(5);
  });

  it('stops reading requests while the guest does not read answers', async () => {
    const [host, port] = duplexPair();
    const end = stop();
    const done = converse(host, guest, free(), end.signal).catch(() => undefined);
    for (let n = 1; n <= 1000; n++) port.write(request(n));
    await expect.poll(() => asked.length).toBeGreaterThan(0);
    const held = asked.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked.length).toBeLessThan(1000);
    expect(held).toBeLessThan(1000);
    end.abort();
    await done;
  });

  it('ends the conversation at the end of the stream', async () => {
    const [host, port] = duplexPair();
    const done = converse(host, guest, free(), stop().signal);
    port.end();
    await done;
  });
});

describe('a port', () => {
  let directory: string;
  let path: string;
  let vmm: Server;
  let connected: Socket[];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-'));
    path = join(directory, 'sp.sock');
    connected = [];
    vmm = createServer((socket) => connected.push(socket));
  });
  afterEach(async () => {
    for (const socket of connected) socket.destroy();
    await new Promise((resolve) => vmm.close(resolve));
    await rm(directory, { recursive: true });
  });

  const connection = async (n: number): Promise<Socket> => {
    await expect.poll(() => connected.length).toBeGreaterThan(n);
    const socket = connected[n];
    if (socket === undefined) throw new Error('nobody connected');
    return socket;
  };

  it('answers as soon as the guest connects, and again after a lost connection', async () => {
    const port = new ProcessorPort(path, guest);
    await new Promise<void>((resolve) => vmm.listen(path, resolve));
    const first = await connection(0);
    first.write(request(1));
    expect(await firstAnswer(first)).toMatchObject({ id: idOf(1) });
    first.destroy();
    const second = await connection(1);
    second.write(request(2));
    expect(await firstAnswer(second)).toMatchObject({ id: idOf(2) });
    await port.close();
    expect(asked).toHaveLength(2);
  });

  it('closes at once, although no guest ever connected', async () => {
    const port = new ProcessorPort(path, guest);
    await port.close();
    await new Promise<void>((resolve) => vmm.listen(path, resolve));
    expect(connected).toEqual([]);
  });
});
