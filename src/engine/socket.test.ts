import { once } from 'node:events';
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSocket } from './socket.ts';

let directory: string;
let path: string;
let server: Server;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'socket-'));
  path = join(directory, 'other.sock');
  server = createServer((peer) => peer.end('hello'));
  await new Promise<void>((resolve) => server.listen(path, resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

describe('a socket of another program', () => {
  it('opens a socket that listens, and returns nothing where none listens yet', async () => {
    const socket = await openSocket(path);
    const [said] = socket === undefined ? [] : await once(socket, 'data');
    expect(String(said)).toBe('hello');
    expect(await openSocket(join(directory, 'later.sock'))).toBeUndefined();
    const left = join(directory, 'left.sock');
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(path.replace('other', 'dead'), resolve));
    await rename(path.replace('other', 'dead'), left);
    await new Promise((resolve) => dead.close(resolve));
    expect(await openSocket(left)).toBeUndefined();
  });

  it('refuses a link or a file in place of a socket', async () => {
    const link = join(directory, 'ctl.sock');
    await symlink(path, link);
    await expect(openSocket(link)).rejects.toMatchObject({ code: 'vmm-failed' });
    const file = join(directory, 'file');
    await writeFile(file, '');
    await expect(openSocket(file)).rejects.toMatchObject({ code: 'vmm-failed' });
  });
});
