import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportBootSet } from './archive.ts';
import { readBootSet } from './bootset.ts';
import { bootSetId, documentText } from './document.ts';
import {
  findBootSet,
  forgetBootSet,
  importBootDirectory,
  importBootSet,
  isKept,
  listBootSets,
} from './sets.ts';
import { syntheticSet, writeSyntheticSet } from './testing/synthetic-set.ts';

const { confidential: CONFIDENTIAL } = syntheticSet().document;

type Document = Record<string, unknown>;

let root: string;
let home: string;
let bootDir: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'boot-sets-'));
  home = join(root, 'home');
  bootDir = join(root, 'installed');
  await mkdir(home);
});
afterEach(() => rm(root, { recursive: true }));

async function archiveOf(directory: string): Promise<Buffer> {
  return await buffer(exportBootSet(await readBootSet(directory)));
}

/** An archive in small pieces, as a pipe delivers it. */
function inPieces(bytes: Buffer, size = 700): Readable {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return Readable.from(pieces, { objectMode: false });
}

/** @returns the refusal's code; nothing may be left of what was refused */
async function refusalOf(archive: Buffer): Promise<unknown> {
  const refused = await importBootSet(home, inPieces(archive)).catch((error: unknown) => error);
  expect(await readdir(join(home, 'boot'))).toEqual([]);
  return refused instanceof Error && 'code' in refused ? refused.code : refused;
}

describe('an exported set', () => {
  it('imports an exported boot set whole and under its id, and keeps it', async () => {
    const { id } = await writeSyntheticSet(bootDir);
    const archive = await archiveOf(bootDir);
    const set = await importBootSet(home, inPieces(archive));
    expect(set).toMatchObject({ id, directory: join(home, 'boot', id) });
    expect(await readdir(join(home, 'boot'))).toEqual([id]);
    for (const name of ['OVMF.fd', 'initrd-confidential', 'boot.json']) {
      const path = join(set.directory, name);
      expect(await readFile(path)).toEqual(await readFile(join(bootDir, name)));
      expect((await stat(path)).mode & 0o777).toBe(0o444);
    }
    expect(await isKept(home, id)).toBe(true);
    expect(await archiveOf(set.directory)).toEqual(archive);
    // A second import changes nothing.
    expect((await importBootSet(home, inPieces(archive))).id).toBe(id);
    expect(await readdir(join(home, 'boot'))).toEqual([id]);
  });

  it('refuses to export a boot set with a file that differs from its document', async () => {
    await writeSyntheticSet(bootDir);
    await writeFile(join(bootDir, 'bzImage'), 'the file bzimage');
    await expect(archiveOf(bootDir)).rejects.toMatchObject({ code: 'boot-set-missing' });
  });
});

describe('an imported archive', () => {
  let archive: Buffer;
  beforeEach(async () => {
    await writeSyntheticSet(bootDir);
    archive = await archiveOf(bootDir);
    await mkdir(join(home, 'boot'));
  });

  it.each([
    ['empty', () => Buffer.alloc(0)],
    ['cut', () => archive.subarray(0, archive.length - 1)],
    ['cut in its document', () => archive.subarray(0, 600)],
    ['longer than its end', () => Buffer.concat([archive, Buffer.alloc(512)])],
    ['another format', () => Buffer.from('PK\x03\x04'.repeat(1000))],
    ['a path out of the directory', () => renamed('vmlinux', '../vmlinux')],
    ['an absolute path', () => renamed('vmlinux', '/etc/passwd')],
    ['a file twice', () => renamed('bzImage', 'vmlinux')],
    ['a link', () => patched('initrd', 156, '2')],
    ['a larger size', () => patched('initrd', 124, '77777777777')],
    ['a size that is negative', () => patched('boot.json', 124, '-0000000001')],
    ['a document as large as a disk', () => patched('boot.json', 124, '77777777777')],
    [
      'another byte in a file',
      () => Buffer.from(archive).fill('X', contentOf('OVMF.fd'), contentOf('OVMF.fd') + 1),
    ],
    [
      'something in its padding',
      () => Buffer.from(archive).fill(1, contentOf('OVMF.fd') + 500, contentOf('OVMF.fd') + 501),
    ],
  ])('refuses to import an archive: %s', async (_, make) => {
    expect(await refusalOf(make())).toBe('boot-set-invalid');
  });

  it.each([
    ['does not match its id', (it: Document) => ({ ...it, id: '0'.repeat(64) })],
    ['differs from what its id stands for', (it: Document) => ({ ...it, erofs: 'another' })],
    ['has an additional member', (it: Document) => withId({ ...it, more: 1 })],
    ['is of another version', (it: Document) => withId({ ...it, schema: 'a3s-box/boot-set/v3' })],
    [
      'allows debugging',
      (it: Document) => withId({ ...it, confidential: { ...CONFIDENTIAL, policy: '0xb0000' } }),
    ],
    ['is formatted differently', (it: Document) => it, 1],
  ])('refuses to import an archive with a document that %s', async (_, change, indent = 2) => {
    const text = JSON.stringify(change(syntheticSet().document), null, indent);
    expect(await refusalOf(withDocument(Buffer.from(`${text}\n`)))).toBe('boot-set-invalid');
  });

  it(
    'refuses any changed archive as a whole, and imports no part of it',
    async () => {
      const change = fc.record({
        at: fc.nat(archive.length - 1),
        flip: fc.integer({ min: 1, max: 255 }),
        cut: fc.boolean(),
      });
      await fuzz(
        fc.asyncProperty(change, async ({ at, flip, cut }) => {
          const bytes = Buffer.from(cut ? archive.subarray(0, at) : archive);
          if (!cut) bytes[at] = (bytes[at] ?? 0) ^ flip;
          expect(await refusalOf(bytes)).toBe('boot-set-invalid');
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  function withDocument(text: Buffer): Buffer {
    const header = Buffer.from(archive.subarray(0, 512));
    header.write(text.length.toString(8).padStart(11, '0'), 124);
    const padding = Buffer.alloc((512 - (text.length % 512)) % 512);
    return Buffer.concat([summed(header, 0), text, padding, archive.subarray(headerOf('vmlinux'))]);
  }

  it('writes the same archive for the same boot set', () => {
    const text = Buffer.from(documentText(syntheticSet().document));
    expect(withDocument(text)).toEqual(archive);
  });

  /** The offset of the tar header of an entry. */
  function headerOf(name: string): number {
    const at = archive.indexOf(`${name}\0`);
    expect(at % 512).toBe(0);
    return at;
  }

  function contentOf(name: string): number {
    return headerOf(name) + 512;
  }

  function renamed(name: string, to: string): Buffer {
    const bytes = Buffer.from(archive);
    const at = headerOf(name);
    bytes.fill(0, at, at + 100).write(to, at);
    return summed(bytes, at);
  }

  function patched(name: string, offset: number, text: string): Buffer {
    const bytes = Buffer.from(archive);
    const at = headerOf(name);
    bytes.write(text, at + offset);
    return summed(bytes, at);
  }
});

/** Writes the checksum of the tar header at `at`. */
function summed(bytes: Buffer, at: number): Buffer {
  bytes.write('        ', at + 148);
  const sum = bytes.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148);
  return bytes;
}

function withId<T extends Record<string, unknown>>(document: T): T & { id: string } {
  return { ...document, id: bootSetId(document) };
}

describe('the boot sets of a home', () => {
  it('lists the installed boot set first, then imported and pinned ones', async () => {
    const { id } = await writeSyntheticSet(bootDir);
    const other = syntheticSet({ initrd: Buffer.from('another') });
    await writeSyntheticSet(join(root, 'other'), other);
    await importBootDirectory(home, join(root, 'other'));
    await mkdir(join(home, 'boot', '.install-abc'));
    await mkdir(join(home, 'boot', 'f'.repeat(64)));
    const listed = await listBootSets({ bootDir, home });
    expect(listed.map(({ set, ...about }) => [set.id, about])).toEqual([
      [id, { current: true, imported: false }],
      [other.document.id, { current: false, imported: true }],
    ]);
  });

  it('finds a boot set by the first digits of its id', async () => {
    const { id } = await writeSyntheticSet(bootDir);
    expect((await findBootSet({ bootDir, home }, id.slice(0, 6))).set.id).toBe(id);
    for (const asked of [id.slice(0, 3), 'f'.repeat(64), '', '..', id.toUpperCase(), `${id}0`]) {
      await expect(findBootSet({ bootDir, home }, asked)).rejects.toMatchObject({
        code: 'no-such-boot-set',
      });
    }
  });

  it('keeps a boot set until it is removed, which succeeds once', async () => {
    const { id } = await writeSyntheticSet(bootDir);
    await importBootDirectory(home, bootDir);
    await forgetBootSet(home, id);
    expect(await isKept(home, id)).toBe(false);
    await expect(forgetBootSet(home, id)).rejects.toMatchObject({ code: 'no-such-boot-set' });
  });
});
