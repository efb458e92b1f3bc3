import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Template } from '../../vm/template.ts';
import { privateRam } from './ram-copy.ts';

const MEBIBYTE = 2 ** 20;
const SIZE = 64 * MEBIBYTE;
const BLOCK = 512;
const identity = { uid: 0x7a35_0078, gid: 0x7a35_0078 };
/**
 * The offsets of data: at the start, across a boundary between copied chunks, and in the last page.
 */
const DATA: readonly (readonly [offset: number, bytes: number])[] = [
  [0, 4096],
  [3 * MEBIBYTE - 4096, MEBIBYTE + 8192],
  [SIZE - 4096, 4096],
];

let directory: string;
let ram: FileHandle;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ram-'));
  ram = await open(join(directory, 'ram'), constants.O_RDWR | constants.O_CREAT);
  await ram.truncate(SIZE);
  for (const [offset, bytes] of DATA) await ram.write(Buffer.alloc(bytes, 7), 0, bytes, offset);
});
afterEach(async () => {
  await ram.close();
  await rm(directory, { recursive: true });
});

function template(fd: number, memoryBytes = SIZE): Template {
  const boot = { kernelPath: '', initrdPath: '', commandLine: [] };
  return { key: '', shape: { cpus: 1, boot }, memoryBytes, ram: fd, devicePath: '' };
}

it('copies the RAM of a template, and uses memory only for its data', async () => {
  const { file, filled } = await privateRam(template(ram.fd), identity);
  try {
    const before = await file.stat();
    expect(before.size).toBe(SIZE);
    await filled;
    const { size, blocks, mode } = await file.stat();
    expect({ size, mode: mode & 0o777 }).toEqual({ size: SIZE, mode: 0o600 });
    expect(blocks * BLOCK).toBeLessThan(4 * MEBIBYTE);
    const { buffer } = await file.read(Buffer.alloc(SIZE), 0, SIZE, 0);
    const { buffer: wanted } = await ram.read(Buffer.alloc(SIZE), 0, SIZE, 0);
    expect(buffer.equals(wanted)).toBe(true);
    await file.write(Buffer.from('mine'), 0, 4, 0);
    const { buffer: first } = await ram.read(Buffer.alloc(4), 0, 4, 0);
    expect([...first]).toEqual([7, 7, 7, 7]);
  } finally {
    await file.close();
  }
});

it('reports a failed copy of template RAM through its promise', async () => {
  const unreadable = await open(join(directory, 'ram'), constants.O_WRONLY);
  const { file, filled } = await privateRam(template(unreadable.fd), identity);
  try {
    await expect(filled).rejects.toMatchObject({ code: 'EBADF' });
  } finally {
    await file.close();
    await unreadable.close();
  }
});

it('refuses a copy of RAM that could outgrow the memory of the host', async () => {
  await expect(privateRam(template(ram.fd, 2 ** 50), identity)).rejects.toMatchObject({
    code: 'out-of-memory',
  });
});
