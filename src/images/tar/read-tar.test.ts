import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { ByteReader } from '../byte-reader.ts';
import { streamed } from '../testing/streams.ts';
import {
  type TarFile,
  withChecksum,
  writeEntry,
  writeHeader,
  writeTar,
} from '../testing/tar-writer.ts';
import { readTar, type TarEntry } from './read-tar.ts';

type Read = Omit<TarEntry, 'body'> & { data: Buffer };

async function readAll(tar: Uint8Array, chunk?: number, maxEntries = 1000): Promise<Read[]> {
  const reader = new ByteReader(streamed(tar, chunk), 'the archive');
  const entries: Read[] = [];
  for await (const { body, ...entry } of readTar(reader, maxEntries)) {
    const chunks: Buffer[] = [];
    for await (const part of body) chunks.push(Buffer.from(part));
    entries.push({ ...entry, data: Buffer.concat(chunks) });
  }
  return entries;
}

function gnuTar(prepare: (directory: string) => void, ...args: string[]): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-tar-'));
  try {
    prepare(directory);
    return execFileSync('tar', ['-C', directory, '-c', ...args], { maxBuffer: 1 << 28 });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A sparse file with data at 1 MiB and at its end only. */
function makeSparse(directory: string): void {
  const path = join(directory, 'sparse');
  writeFileSync(path, '');
  truncateSync(path, 3 << 20);
  execFileSync('dd', [`of=${path}`, 'conv=notrunc', 'bs=1', 'seek=1048576', 'status=none'], {
    input: 'middle',
  });
  execFileSync('dd', [`of=${path}`, 'conv=notrunc', 'bs=1', 'seek=3145725', 'status=none'], {
    input: 'end',
  });
}

describe('readTar', () => {
  it('reads every kind of tar entry', async () => {
    const tar = writeTar([
      { path: 'd/', type: 'directory', mode: 0o1777, mtime: 7 },
      { path: 'd/f', data: 'data', uid: 1, gid: 2 },
      { path: 'd/h', type: 'hardlink', target: 'd/f' },
      { path: 'd/s', type: 'symlink', target: '../x' },
      { path: 'c', type: 'character', device: { major: 1, minor: 3 } },
      { path: 'b', type: 'block', device: { major: 8, minor: 0 } },
      { path: 'p', type: 'fifo' },
    ]);
    const entries = await readAll(tar, 100);
    expect(entries.map(({ type }) => type)).toEqual([
      'directory',
      'file',
      'hardlink',
      'symlink',
      'character',
      'block',
      'fifo',
    ]);
    expect(entries[0]).toMatchObject({ mode: 0o1777, mtime: { seconds: 7, nanoseconds: 0 } });
    expect(entries[1]).toMatchObject({ uid: 1, gid: 2, size: 4, data: Buffer.from('data') });
    expect(entries[3]?.linkPath).toBe('../x');
    expect(entries[4]).toMatchObject({ major: 1, minor: 3 });
  });

  it('reads large owner ids from PAX records, and attributes byte for byte', async () => {
    const value = Buffer.from([1, 0, 0, 2, 0xff, 0xfe, 10, 61]);
    const [entry] = await readAll(
      writeTar([
        {
          path: 'x'.repeat(300),
          uid: 4_294_967_294,
          gid: 4_294_967_294,
          xattrs: { 'security.capability': value },
          pax: { mtime: '-1.25' },
        },
      ]),
    );
    expect(entry).toMatchObject({
      path: 'x'.repeat(300),
      uid: 4_294_967_294,
      gid: 4_294_967_294,
      mtime: { seconds: -2, nanoseconds: 750_000_000 },
    });
    expect(entry?.xattrs.get('security.capability')?.equals(value)).toBe(true);
  });

  it('reads names and numbers as GNU tar writes them', async () => {
    const name = `${'n'.repeat(90)}/`.repeat(3);
    const tar = gnuTar(
      (directory) => {
        execFileSync('mkdir', ['-p', join(directory, name)]);
        execFileSync('ln', ['-s', 't'.repeat(200), join(directory, name, 'link')]);
      },
      '--format=gnu',
      '--owner=4294967294',
      '.',
    );
    const link = (await readAll(tar)).find(({ type }) => type === 'symlink');
    expect(link).toMatchObject({
      path: `./${name}link`,
      linkPath: 't'.repeat(200),
      uid: 4_294_967_294,
    });
  });

  it.each([
    ['--format=gnu'],
    ['--format=pax', '--sparse-version=1.0'],
    ['--format=pax', '--sparse-version=0.1'],
  ])('expands sparse files of GNU tar %s %s', async (...options) => {
    const tar = gnuTar(makeSparse, '--sparse', ...options, 'sparse');
    expect(tar.length).toBeLessThan(100_000);
    const [entry] = await readAll(tar);
    expect(entry).toMatchObject({ path: 'sparse', size: 3 << 20 });
    expect(entry?.data.length).toBe(3 << 20);
    expect(entry?.data.toString('latin1', 1 << 20, (1 << 20) + 6)).toBe('middle');
    expect(entry?.data.toString('latin1', (3 << 20) - 3)).toBe('end');
  });

  it('accepts an archive whose last padding is missing, as umoci writes it', async () => {
    const whole = Buffer.concat(writeEntry({ path: 'f', data: 'x' }));
    expect(await readAll(whole.subarray(0, 513))).toHaveLength(1);
  });

  const file = writeEntry({ path: 'f', data: 'x'.repeat(1000) });
  const header = (change: (block: Buffer) => void, flag = '0', size = 0): Buffer => {
    const block = writeHeader({ path: 'f' }, flag, size);
    change(block);
    return withChecksum(block);
  };
  const pax = (records: Record<string, string>): Buffer =>
    Buffer.concat(writeEntry({ path: 'f', pax: records }));
  const noChange = () => {};

  it.each<[string, Buffer, string]>([
    ['data that ends early', Buffer.concat(file).subarray(0, 700), 'ends too early'],
    ['a header that ends early', Buffer.concat(file).subarray(0, 100), 'ends too early'],
    ['a wrong checksum', Buffer.from(Buffer.concat(file).fill(0x31, 0, 1)), 'checksum'],
    ['random bytes', Buffer.alloc(1024, 0xa5), 'checksum'],
    ['text', Buffer.alloc(1024, 'root:x:0:0:root:/root:/bin/sh '), 'it is damaged, or no tar'],
    ['a size that is no number', header((b) => b.write('zz', 124)), 'not a number'],
    [
      'a size that is too large',
      header((b) => b.fill(0x7f, 125, 136).fill(0x80, 124, 125)),
      'large',
    ],
    ['a negative size', header((b) => b.fill(0xff, 124, 136)), 'negative'],
    ['an unknown type', header(noChange, 'Z'), 'unknown type'],
    ['a link with data', header(noChange, '1', 512), 'has data'],
    ['a directory with data', header(noChange, '5', 512), 'has data'],
    ['two sizes', pax({ size: 'x' }), 'not a number'],
    ['a name with a NUL', pax({ path: 'a\0b' }), 'NUL'],
    ['a name that is too long', pax({ path: 'x'.repeat(5000) }), 'longer than'],
    ['a sparse file of an unknown form', pax({ 'GNU.sparse.major': '2' }), 'unknown form'],
    [
      'a sparse map that overlaps',
      pax({ 'GNU.sparse.map': '5,0,2,0', 'GNU.sparse.size': '9' }),
      'overlap',
    ],
    [
      'a sparse map beyond the file',
      pax({ 'GNU.sparse.map': '5,10', 'GNU.sparse.size': '9' }),
      'outside',
    ],
    [
      'a sparse map of another size than its data',
      pax({ 'GNU.sparse.map': '5,4', 'GNU.sparse.size': '9' }),
      'add up',
    ],
    ['an extended header without an entry', pax({ path: 'x' }).subarray(0, 1024), 'ends too early'],
    ['a huge extended header', header(noChange, 'x', 1 << 30), 'larger than'],
    [
      'a record without length',
      Buffer.concat([header(noChange, 'x', 5), pad('path=')]),
      'malformed',
    ],
    [
      'the same record twice',
      Buffer.concat([header(noChange, 'x', 18), pad('9 path=a\n9 path=b\n')]),
      'two records',
    ],
    [
      'a global header that renames',
      Buffer.concat([header(noChange, 'g', 9), pad('9 path=a\n')]),
      'global',
    ],
    ['data behind the end', Buffer.concat([writeTar([]), Buffer.alloc(512, 1)]), 'follows its end'],
  ])('refuses a tar archive: %s', async (_, tar, message) => {
    await expect(readAll(tar)).rejects.toMatchObject({
      code: 'invalid-image',
      message: expect.stringContaining(message),
    });
  });

  it('limits the number of tar entries and the zeros at the end', async () => {
    const many = writeTar(Array.from({ length: 11 }, () => ({ path: 'f' })));
    await expect(readAll(many, 4096, 10)).rejects.toMatchObject({ code: 'too-large' });
    async function* zeros(): AsyncGenerator<Uint8Array> {
      for (;;) yield Buffer.alloc(65_536);
    }
    const reader = new ByteReader(zeros(), 'the archive');
    await expect(readTar(reader, 10).next()).rejects.toMatchObject({ code: 'too-large' });
  });

  it(
    'reads or refuses a damaged tar archive, the same in chunks of any size',
    async () => {
      const base = writeTar([
        { path: 'long/'.repeat(60), type: 'directory' },
        { path: 'file', data: 'some data', xattrs: { 'user.a': 'b' } },
        { path: 'sparse', data: 'abcd', pax: { 'GNU.sparse.map': '5,4', 'GNU.sparse.size': '9' } },
        { path: 'link', type: 'symlink', target: 'file' },
      ]);
      const edit = fc.record({
        at: fc.nat(base.length - 1),
        bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
        /** Whether to repair the checksum, where nearly every edit would fail otherwise. */
        repair: fc.boolean(),
      });
      await fuzz(
        fc.asyncProperty(
          fc.array(edit, { maxLength: 4 }),
          fc.nat(base.length),
          fc.integer({ min: 1, max: 2000 }),
          async (edits, length, chunk) => {
            const tar = Buffer.from(base);
            for (const { at, bytes, repair } of edits) {
              tar.set(bytes.subarray(0, tar.length - at), at);
              const block = at - (at % 512);
              if (repair) withChecksum(tar.subarray(block, block + 512));
            }
            const damaged = tar.subarray(0, edits.length === 0 ? length : tar.length);
            const outcome = (size: number) =>
              readAll(damaged, size).catch((error: unknown) => {
                expect(error).toBeInstanceOf(A3sError);
                return error instanceof Error ? error.message : error;
              });
            expect(await outcome(chunk)).toEqual(await outcome(damaged.length + 1));
          },
        ),
      );
    },
    FUZZ_TIMEOUT,
  );

  it('reads a tar archive back as it was written', async () => {
    const entry: fc.Arbitrary<TarFile> = fc.record({
      path: fc.string({ minLength: 1, maxLength: 300, unit: fc.constantFrom('a', 'b', '.', '-') }),
      data: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
      mode: fc.nat(0o7777),
      uid: fc.nat(0xffff_fffe),
      mtime: fc.nat(0o7777777777),
    });
    await fuzz(
      fc.asyncProperty(fc.array(entry, { maxLength: 10 }), async (files) => {
        const read = await readAll(writeTar(files), 777);
        expect(read).toHaveLength(files.length);
        for (const [index, { path, data, mode, uid }] of files.entries()) {
          expect(read[index]).toMatchObject({ path, data, mode, uid });
        }
      }),
    );
  });
});

function pad(text: string): Buffer {
  const block = Buffer.alloc(512);
  block.write(text);
  return block;
}
