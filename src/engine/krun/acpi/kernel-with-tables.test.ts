import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { kernelWithTables } from './kernel-with-tables.ts';
import { acpiTables, TABLES_ADDRESS } from './tables.ts';

let root: string;
let kernel: string;
let kernels: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'kernels-'));
  kernel = join(root, 'vmlinux');
  kernels = join(root, 'kernels');
  await writeFile(kernel, elf(), { mode: 0o444 });
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

/** An ELF file with two program headers, a gap, and a segment that is no whole page. */
function elf(): Buffer {
  const file = Buffer.alloc(5000, 0);
  file.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(2, 56);
  file.fill(0xaa, 64, 64 + 2 * 56);
  file.fill(0xbb, 4096);
  return file;
}

it('adds the tables as one more segment, and changes nothing else', async () => {
  const made = await readFile(await kernelWithTables(kernel, kernels));
  const [before, tables] = [elf(), acpiTables()];
  expect(made.subarray(8192)).toEqual(tables);
  expect(made.readUInt16LE(56)).toBe(3);
  const header = made.subarray(64 + 2 * 56, 64 + 3 * 56);
  const words = [8, 16, 24, 32, 40].map((at) => Number(header.readBigUInt64LE(at)));
  const { length } = tables;
  expect([header.readUInt32LE(0), ...words]).toEqual([
    ...[1, 8192, TABLES_ADDRESS, TABLES_ADDRESS, length, length],
  ]);
  before.writeUInt16LE(3, 56);
  header.copy(before, 64 + 2 * 56);
  expect(made.subarray(0, before.length)).toEqual(before);
});

it('keeps the kernel for the next start, for all to read and nobody to write', async () => {
  const path = await kernelWithTables(kernel, kernels);
  const { ino, mode } = await stat(path);
  expect(mode & 0o777).toBe(0o444);
  expect(await kernelWithTables(kernel, kernels)).toBe(path);
  expect((await stat(path)).ino).toBe(ino);
  expect(await readFile(kernel)).toEqual(elf());
});

it('makes it anew where the boot set has another kernel, and keeps four', async () => {
  const paths: string[] = [];
  for (let n = 1; n <= 6; n++) {
    await utimes(kernel, n, n);
    const path = await kernelWithTables(kernel, kernels);
    await utimes(path, n, n);
    paths.push(path);
  }
  expect(new Set(paths).size).toBe(6);
  const kept = (await readdir(kernels)).map((name) => join(kernels, name));
  expect(kept.sort()).toEqual(paths.slice(2).sort());
});

it('removes what a server that died did not finish', async () => {
  await kernelWithTables(kernel, kernels);
  await writeFile(join(kernels, '.new-1-00'), 'half');
  await utimes(kernel, 1, 1);
  await kernelWithTables(kernel, kernels);
  expect((await readdir(kernels)).filter((name) => name.startsWith('.'))).toEqual([]);
});

it.each([
  ['that is not ELF', (file: Buffer) => file.fill(0, 0, 4), 'no ELF file'],
  ['with other program headers', (file: Buffer) => file.writeUInt16LE(32, 54), 'no ELF file'],
  ['without room for a segment', (file: Buffer) => file.fill(1, 176, 200), 'no room'],
  ['that ends before its headers', (file: Buffer) => file.writeUInt16LE(200, 56), 'no room'],
])('refuses a kernel %s, and leaves nothing', async (_, change, message) => {
  const file = elf();
  change(file);
  await rm(kernel);
  await writeFile(kernel, file);
  await expect(kernelWithTables(kernel, kernels)).rejects.toMatchObject({
    code: 'state-unusable',
    message: expect.stringContaining(message),
  });
  expect(await readdir(kernels)).toEqual([]);
});
