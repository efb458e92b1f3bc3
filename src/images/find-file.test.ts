import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { A3sError } from '../errors.ts';
import { findFile } from './find-file.ts';
import type { Image } from './image.ts';
import { buildImage, dockerArchive } from './testing/build-image.ts';
import { streamed } from './testing/streams.ts';
import type { TarFile } from './testing/tar-writer.ts';
import { type TemporaryStore, temporaryStore } from './testing/temporary-store.ts';

/** More than a block of a directory has names. */
const MANY = Array.from({ length: 500 }, (_, index) => ({
  ...{ path: `many/name-${String(index).padStart(40, '0')}`, data: 'x' },
}));

const LAYERS: readonly (readonly TarFile[])[] = [
  [
    { path: 'etc/', type: 'directory' },
    { path: 'etc/passwd', data: 'root' },
    { path: 'etc/gone', data: 'x' },
    { path: 'usr/lib/deep/file', data: 'x' },
    { path: 'lib', type: 'symlink', target: '/usr/lib' },
    { path: 'usr/up', type: 'symlink', target: '../../../etc' },
    { path: 'usr/lib/passwd', type: 'symlink', target: '../../etc/./passwd' },
    { path: 'round', type: 'symlink', target: 'round' },
    { path: 'nowhere', type: 'symlink', target: '/none' },
    { path: 'hidden/below', data: 'x' },
    { path: 'replaced/below', data: 'x' },
    { path: 'late', data: 'x' },
    { path: 'ümlaut', data: 'x' },
    { path: 'pipe', type: 'fifo' },
    ...MANY,
  ],
  [
    { path: 'etc/.wh.gone', data: '' },
    { path: 'etc/added', data: 'x' },
    { path: 'hidden/.wh..wh..opq', data: '' },
    { path: 'hidden/above', data: 'x' },
    { path: 'replaced', data: 'x' },
    { path: 'late/above', data: 'x' },
  ],
];

let temporary: TemporaryStore;
let image: Image;
let disks: readonly string[];
beforeAll(async () => {
  temporary = await temporaryStore();
  const archive = dockerArchive([buildImage({ name: 'docker.io/library/a:1', layers: LAYERS })]);
  const [loaded] = await temporary.store.load(streamed(archive, archive.length));
  image = loaded ?? expect.fail();
  disks = (await temporary.store.bootLayers(image)).map(({ path }) => path);
});
afterAll(() => temporary?.remove());

it.each([
  ['.', 'directory'],
  ['etc', 'directory'],
  ['etc/passwd', 'file'],
  ['etc/passwd/', undefined],
  ['etc/passwd/..', undefined],
  ['etc/added', 'file'],
  ['etc/gone', undefined],
  ['etc/none', undefined],
  ['not-existing', undefined],
  ['lib/deep/file', 'file'],
  ['lib/passwd', 'file'],
  ['usr/up/added', 'file'],
  ['usr/lib/../../etc/added', 'file'],
  ['round', undefined],
  ['nowhere', undefined],
  ['hidden', 'directory'],
  ['hidden/above', 'file'],
  ['hidden/below', undefined],
  ['replaced', 'file'],
  ['replaced/below', undefined],
  ['late/above', 'file'],
  ['ümlaut', 'file'],
  [MANY[0]?.path, 'file'],
  [MANY[250]?.path, 'file'],
  [MANY.at(-1)?.path, 'file'],
  ['many/name-', undefined],
  ['pipe', 'fifo'],
])('finds what overlayfs has at %s', async (path = '', kind) => {
  expect(await findFile(disks, path)).toBe(kind);
  expect(await temporary.store.kindOf(image, path)).toBe(kind);
});

it('finds nothing in an image without layers', async () => {
  expect(await findFile([], 'etc')).toBeUndefined();
});

describe('a disk that no layer became', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'a3s-find-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('refuses an empty disk, and one that is cut short', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    await expect(findFile([file], 'etc')).rejects.toMatchObject({ code: 'invalid-image' });
    copyFileSync(disks[0] ?? '', file);
    chmodSync(file, 0o600);
    truncateSync(file, 4096);
    await expect(findFile([file], 'many/none')).rejects.toMatchObject({ code: 'invalid-image' });
  });

  it(
    'refuses or searches a disk, whatever bytes of its metadata are others',
    async () => {
      const whole = readFileSync(disks[0] ?? '');
      const file = join(directory, 'changed');
      const change = fc.record({ at: fc.nat(12_000), byte: fc.nat(255) });
      const property = fc.asyncProperty(fc.array(change, { minLength: 1 }), async (changes) => {
        const bytes = Buffer.from(whole);
        for (const { at, byte } of changes) bytes[1024 + at] = byte;
        writeFileSync(file, bytes);
        for (const path of ['lib/passwd', 'many/none']) {
          const found = await findFile([file], path).catch((error: unknown) => error);
          const known = found === undefined || typeof found === 'string';
          expect(known || (found instanceof A3sError && found.code === 'invalid-image')).toBe(true);
        }
      });
      await fuzz(property);
    },
    FUZZ_TIMEOUT,
  );
});
