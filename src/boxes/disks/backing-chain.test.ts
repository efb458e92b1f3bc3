import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addLayer, layersOf, shareLayers, writableLayerFiles } from './backing-chain.ts';
import { overlayImage } from './overlay-image.ts';

const IDENTITY = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
let directory: string;
let base: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'layers-'));
  base = join(directory, 'changes.ext4');
  await writeFile(base, Buffer.alloc(1024));
});
afterEach(() => rm(directory, { recursive: true }));
const at = (name: string): string => join(directory, name);

describe('a writable layer', () => {
  it('writes to the last layer of the backing chain', async () => {
    expect(await writableLayerFiles(base)).toEqual({ path: base });
    expect(await addLayer(base, IDENTITY)).toBe(at('changes.1.qcow2'));
    expect(await addLayer(base, IDENTITY)).toBe(at('changes.2.qcow2'));
    expect(await writableLayerFiles(base)).toEqual({
      path: at('changes.2.qcow2'),
      backing: [base, at('changes.1.qcow2')],
    });
    expect((await stat(at('changes.1.qcow2'))).mode & 0o777).toBe(0o600);
  });

  it('orders layers by number, and ignores files with other names', async () => {
    for (let n = 1; n <= 10; n++) await addLayer(base, IDENTITY);
    for (const name of [
      'changes.0.qcow2',
      'changes.11.qcow2.new',
      'changes.x.qcow2',
      'output.log',
    ]) {
      await writeFile(at(name), '');
    }
    const layers = await layersOf(base);
    expect(layers.length).toBe(11);
    expect(layers.at(-1)).toBe(at('changes.10.qcow2'));
  });

  it('limits the number of layers in a backing chain', async () => {
    for (let n = 1; n <= 16; n++) await addLayer(base, IDENTITY);
    await expect(addLayer(base, IDENTITY)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('shares a backing chain by hard links', async () => {
    await addLayer(base, IDENTITY);
    const other = at('other');
    await mkdir(other);
    await shareLayers(await layersOf(base), other);
    // A start that failed is repeated: sharing the layers again succeeds.
    await shareLayers(await layersOf(base), other);
    const copy = join(other, 'changes.ext4');
    expect((await stat(copy)).ino).toBe((await stat(base)).ino);
    expect((await layersOf(copy)).length).toBe(2);
  });
});

describe('an empty qcow2 layer', () => {
  it('writes an empty qcow2 image of four clusters', async () => {
    const path = await addLayer(base, IDENTITY);
    const image = await readFile(path);
    expect(image).toEqual(overlayImage(1024));
    expect(image.length).toBe(4 * 65_536);
    expect(image.subarray(0, 8).toString('latin1')).toBe('QFI\xfb\0\0\0\x03');
    expect(image.readBigUInt64BE(24)).toBe(1024n);
    // The header names no backing file, and requires no incompatible feature.
    expect([image.readBigUInt64BE(8), image.readBigUInt64BE(72)]).toEqual([0n, 0n]);
  });

  it('supports disks up to the size that one L1 table covers', () => {
    expect(overlayImage(10 * 2 ** 30).readUInt32BE(36)).toBe(20);
    expect(() => overlayImage(2 ** 43)).toThrow(RangeError);
    expect(() => overlayImage(0)).toThrow(RangeError);
  });
});
