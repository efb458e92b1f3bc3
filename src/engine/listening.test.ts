import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { listensHere, listensIn } from './listening.ts';

it('tells a socket that listens from one that is only bound', () => {
  const table = [
    'Num       RefCount Protocol Flags    Type St Inode Path',
    'ffff8881: 00000002 00000000 00010000 0001 01 23057 /run/a box/passt.sock',
    'ffff8882: 00000002 00000000 00000000 0001 01    57 /run/bound.sock',
    'ffff8883: 00000003 00000000 00000000 0001 03 23058',
  ].join('\n');
  expect(listensIn(table, '/run/a box/passt.sock')).toBe(true);
  expect(listensIn(table, '/run/a')).toBe(false);
  expect(listensIn(table, '/run/bound.sock')).toBe(false);
});

it('sees a server of this process from when it listens to when it closes', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'listening-'));
  const socket = join(directory, 's.sock');
  expect(await listensHere(socket)).toBeUndefined();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  expect(await listensHere(socket)).toBe(true);
  await new Promise((resolve) => server.close(resolve));
  expect(await listensHere(socket)).toBeUndefined();
  await rm(directory, { recursive: true });
});
