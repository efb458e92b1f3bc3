import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openStubKernel, stubKernel } from './stub-kernel.ts';

it('builds an ELF file with one segment and the note of a PVH kernel', () => {
  const file = stubKernel();
  expect(file.subarray(0, 7).toString('latin1')).toBe('\x7fELF\x02\x01\x01');
  expect(file.length).toBeLessThan(512);
  const note = file.indexOf('Xen\0', 0, 'latin1');
  expect(file.readUInt32LE(note - 4)).toBe(18);
  expect(BigInt(file.readUInt32LE(note + 4))).toBe(file.readBigUInt64LE(24));
});

it('opens the stub kernel without a name on disk, and reads it repeatedly', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'stub-'));
  try {
    const file = await openStubKernel(directory);
    expect(await readdir(directory)).toEqual([]);
    const { buffer } = await file.read(Buffer.alloc(1024), 0, 1024, 0);
    expect(buffer.subarray(0, stubKernel().length)).toEqual(stubKernel());
    expect((await file.stat()).mode & 0o777).toBe(0o444);
    await file.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});
