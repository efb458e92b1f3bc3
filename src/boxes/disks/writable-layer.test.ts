import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureWritableLayer, hasWritableLayer, WRITABLE_LAYER_FILE } from './writable-layer.ts';

const IDENTITY = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'changes-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('the writable layer of a box', () => {
  it('keeps an existing writable layer', async () => {
    const path = join(directory, WRITABLE_LAYER_FILE);
    expect(await hasWritableLayer(path)).toBe(false);
    await writeFile(path, 'what the box has written');
    expect(await hasWritableLayer(path)).toBe(true);
    await ensureWritableLayer(path, IDENTITY);
    expect(await readFile(path, 'utf8')).toBe('what the box has written');
  });

  it('makes one of the size that is asked for', async () => {
    const path = join(directory, WRITABLE_LAYER_FILE);
    await ensureWritableLayer(path, IDENTITY, 64 * 2 ** 20);
    expect((await stat(path)).size).toBe(64 * 2 ** 20);
    // The superblock is at 1024; its second number is that of the blocks, of 4096 bytes each.
    const file = await open(path, 'r');
    const { buffer } = await file.read(Buffer.alloc(8), 0, 8, 1024);
    await file.close();
    expect(buffer.readUInt32LE(4)).toBe((64 * 2 ** 20) / 4096);
  });

  it('does not treat a writable layer as missing when it cannot be looked up', async () => {
    await writeFile(join(directory, 'file'), '');
    const path = join(directory, 'file', WRITABLE_LAYER_FILE);
    await expect(hasWritableLayer(path)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(ensureWritableLayer(path, IDENTITY)).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});
