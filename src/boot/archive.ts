/**
 * A boot set as one file: a tar archive with `boot.json` first, in exactly one form. So equal sets
 * have equal archives, and no content of an outside archive needs interpretation.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../errors.ts';
import type { BootSet } from './bootset.ts';
import { AnyBootDocument, bootSetId, documentText, filesOf, MAX_DOCUMENT } from './document.ts';
import { ExactReader } from './exact-reader.ts';

const BLOCK = 512;
const DOCUMENT = 'boot.json';
const REMEDY = 'Export the set anew with a3s-box boot export.';

/** The archive's bytes. Throws `boot-set-missing` for a file that is not what `boot.json` says. */
export async function* exportBootSet(set: BootSet): AsyncGenerator<Buffer> {
  const document = Buffer.from(documentText(set.document));
  yield header(DOCUMENT, document.length);
  yield padded(document);
  for (const [name, { size, sha256 }] of filesOf(set.document)) {
    yield header(name, size);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(set.directory, name), { end: size - 1 })) {
      const bytes = Buffer.from(chunk);
      hash.update(bytes);
      yield bytes;
    }
    if (hash.digest('hex') !== sha256) {
      throw new A3sError('boot-set-missing', `Cannot export the boot set: ${name} is damaged`, {
        remedy: 'Run npm run setup, or import the set anew.',
      });
    }
    yield Buffer.alloc(padding(size));
  }
  yield end();
}

/**
 * Unpacks an archive into an empty directory. Every digest is checked; no name in the archive
 * becomes a path that `boot.json` does not have, and nothing is written beyond the sizes that it
 * names.
 *
 * @returns the set's id
 * @throws A3sError `boot-set-invalid`
 */
export async function unpackBootSet(
  archive: AsyncIterable<Uint8Array>,
  directory: string,
): Promise<string> {
  const reader = new ExactReader(archive);
  try {
    const first = await reader.exactly(BLOCK);
    const bytes = await reader.exactly(documentSize(first));
    const document = parse(bytes);
    await reader.zeros(padding(bytes.length));
    await writeFile(join(directory, DOCUMENT), bytes, { mode: 0o444, flag: 'wx', flush: true });
    for (const [name, { size, sha256 }] of filesOf(document)) {
      expectHeader(await reader.exactly(BLOCK), name, size);
      const found = await writeBounded(reader, join(directory, name), size);
      if (found !== sha256) throw invalid(`${name} does not have the SHA-256 that boot.json says`);
      await reader.zeros(padding(size));
    }
    await reader.zeros(end().length);
    await reader.finish();
    return document.id;
  } catch (error) {
    if (error instanceof RangeError) throw invalid(error.message, error);
    throw error;
  } finally {
    await reader.close();
  }
}

function documentSize(block: Buffer): number {
  const size = Number.parseInt(block.toString('latin1', 124, 135), 8);
  if (!(size > 0 && size <= MAX_DOCUMENT)) throw invalid('it does not begin with boot.json');
  expectHeader(block, DOCUMENT, size);
  return size;
}

function expectHeader(block: Buffer, name: string, size: number): void {
  if (!block.equals(header(name, size))) {
    throw invalid(`where ${name} with ${size} bytes should begin, there is something else`);
  }
}

function parse(bytes: Buffer): AnyBootDocument {
  let document: AnyBootDocument;
  try {
    document = AnyBootDocument.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw invalid('its boot.json cannot be read', cause);
  }
  if (bootSetId(document) !== document.id) throw invalid('its boot.json does not match its id');
  if (!bytes.equals(Buffer.from(documentText(document)))) {
    throw invalid('its boot.json is not written as it is here');
  }
  return document;
}

/** SHA-256 of what was written. */
async function writeBounded(reader: ExactReader, path: string, size: number): Promise<string> {
  const hash = createHash('sha256');
  const file: FileHandle = await open(path, 'wx', 0o444);
  try {
    for (let left = size; left > 0; ) {
      const bytes = await reader.some(left);
      hash.update(bytes);
      await file.writeFile(bytes);
      left -= bytes.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** A ustar header with only a name and a size. */
function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 'latin1');
  block.write('0000444\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(padding(bytes.length))]);
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function end(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

function invalid(why: string, cause?: unknown): A3sError {
  return new A3sError('boot-set-invalid', `Cannot import the boot set: ${why}`, {
    remedy: REMEDY,
    cause,
  });
}
