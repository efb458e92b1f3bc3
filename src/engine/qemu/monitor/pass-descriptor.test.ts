import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import * as z from 'zod';
import { openSocket } from '../../socket.ts';
import { passDescriptor } from './pass-descriptor.ts';
import { QmpClient } from './qmp.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pass-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const signal = () => AbortSignal.timeout(20_000);

it('passes QEMU a descriptor over its monitor connection, and goes on using the connection', async () => {
  const socket = join(directory, 'qmp.sock');
  const machine = ['-M', 'none', '-nodefaults', '-display', 'none'];
  const chardev = ['-qmp', `unix:${socket},server=on,wait=off`];
  const qemu = spawn('qemu-system-x86_64', [...machine, ...chardev], { stdio: 'inherit' });
  const ended = once(qemu, 'close');
  const path = join(directory, 'disk');
  await writeFile(path, Buffer.alloc(4096, 'a'), { mode: 0o600 });
  const file = await open(path);
  try {
    const qmp = await QmpClient.connect(socket, () => undefined, signal());
    const Added = z.object({ 'fdset-id': z.int(), fd: z.int() });
    expect(await qmp.execute('add-fd', { 'fdset-id': 7 }, Added, file.fd)).toMatchObject({
      'fdset-id': 7,
    });
    const node = { driver: 'file', 'node-name': 'disk', filename: '/dev/fdset/7' };
    await qmp.execute('blockdev-add', { ...node, 'read-only': true }, z.unknown());
    const Nodes = z.array(
      z.object({ 'node-name': z.string(), image: z.object({ 'virtual-size': z.int() }) }),
    );
    expect(await qmp.execute('query-named-block-nodes', {}, Nodes)).toMatchObject([
      { 'node-name': 'disk', image: { 'virtual-size': 4096 } },
    ]);
    qmp.close();
  } finally {
    await file.close();
    qemu.kill();
    await ended;
  }
});

it('passes a descriptor only after all earlier bytes are written', async () => {
  const { server, path, received } = await listen();
  const socket = await connect(path);
  const before = Buffer.alloc(4 << 20, 'b');
  socket.write(before);
  await passDescriptor(socket, Buffer.from('last'), 0, signal());
  socket.end();
  const all = await received;
  expect(all.length).toBe(before.length + 4);
  expect(all.subarray(-4).toString()).toBe('last');
  server.close();
});

it('refuses to pass a descriptor when the other end is gone', async () => {
  const { server, path } = await listen();
  const socket = await connect(path);
  socket.destroy();
  await expect(passDescriptor(socket, Buffer.from('x'), 0, signal())).rejects.toMatchObject({
    code: 'vmm-failed',
  });
  server.close();
});

async function connect(path: string): Promise<Socket> {
  const socket = await openSocket(path);
  if (socket === undefined) throw new Error('nobody listens');
  return socket;
}

async function listen(): Promise<{ server: Server; path: string; received: Promise<Buffer> }> {
  const path = join(directory, 'listener.sock');
  let take: (data: Buffer) => void;
  const received = new Promise<Buffer>((resolve) => {
    take = resolve;
  });
  const server = createServer((peer) => {
    const chunks: Buffer[] = [];
    peer.on('data', (chunk) => chunks.push(chunk)).on('end', () => take(Buffer.concat(chunks)));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { server, path, received };
}
