import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { listensHere, listensIn, listensRenamed } from './listening.ts';

it('distinguishes a listening socket from a bound one', () => {
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

it('sees a server of this process while it listens', async () => {
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

it('does not take another server’s socket of the same name for a renamed one', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'listening-'));
  const [named, file] = [join(directory, 'named.sock'), join(directory, 'file.sock')];
  const uid = process.geteuid?.() ?? 0;
  const others = createServer();
  await new Promise<void>((resolve) => others.listen(named, resolve));
  expect(await listensHere(named)).toBe(true);
  expect(await listensRenamed(named, file, uid)).toBeUndefined();
  await writeFile(file, '');
  expect(await listensRenamed(named, file, uid)).toBeUndefined();
  await rm(file);
  await symlink(named, file);
  expect(await listensRenamed(named, file, uid)).toBeUndefined();
  await rm(file);
  const own = createServer();
  await new Promise<void>((resolve) => own.listen(file, resolve));
  expect(await listensRenamed(named, file, uid + 1)).toBeUndefined();
  expect(await listensRenamed(named, file, uid)).toBe(true);
  for (const server of [own, others]) await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});
