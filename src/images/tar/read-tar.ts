/**
 * A strict streaming reader of tar archives, one pass, bounded memory.
 *
 * Where readers are known to disagree (repeated records, global headers that rename files, sizes of
 * links), the archive is refused: the content that we check has to be the content that every other
 * tool sees.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { corrupt, printable } from '../../oci/corrupt.ts';
import type { ByteReader } from '../byte-reader.ts';
import { BLOCK, type Header, isZeroBlock, parseHeader } from './header.ts';
import {
  MAX_PAX_BYTES,
  type PaxRecords,
  parsePax,
  paxNumber,
  paxText,
  paxTime,
  type Timestamp,
} from './pax.ts';
import {
  checkSparseMap,
  type Extent,
  readOldSparseMap,
  readPaxSparseMap,
  type SparseMap,
} from './sparse.ts';

export type EntryType =
  | 'file'
  | 'hardlink'
  | 'symlink'
  | 'character'
  | 'block'
  | 'directory'
  | 'fifo';

const TYPES: Readonly<Record<string, EntryType>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** Names are bytes, each as one character of its code. */
export interface TarEntry {
  readonly type: EntryType;
  readonly path: string;
  readonly linkPath: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  /** Size of the data, zeros of a sparse file included. */
  readonly size: number;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** The data, once, before the next entry is asked for; what is not read is skipped. */
  readonly body: AsyncIterable<Buffer>;
}

const MAX_NAME = 4096;
/**
 * Zeros after the end marker: GNU tar fills its last record, and some writers fill a larger one.
 */
const MAX_PADDING = 4 * 1024 * 1024;
const XATTR = 'SCHILY.xattr.';
const ZEROS = Buffer.alloc(64 * 1024);

/** Keys that change an entry; a global header must not hold any. */
const MEANINGFUL = /^(?:path|linkpath|size|uid|gid|mtime|SCHILY\.|GNU\.sparse\.)/;

interface Pending {
  pax: PaxRecords | undefined;
  path: string | undefined;
  linkPath: string | undefined;
}

/**
 * @param maxEntries how many entries the archive may have
 * @throws A3sError `invalid-image` on a malformed or truncated archive, `too-large` over a bound
 */
export async function* readTar(reader: ByteReader, maxEntries: number): AsyncGenerator<TarEntry> {
  const { what } = reader;
  let pending: Pending = { pax: undefined, path: undefined, linkPath: undefined };
  let count = 0;
  for (;;) {
    const block = await reader.read(BLOCK);
    // An archive without an end marker is complete when nothing is pending: Go's writers leave the
    // marker out.
    if (block === undefined || isZeroBlock(block)) {
      if (Object.values(pending).some((part) => part !== undefined)) throw reader.truncated();
      return await skipPadding(reader);
    }
    const header = parseHeader(block, what);
    if (!'xLK'.includes(header.flag)) count += 1;
    if (count > maxEntries) {
      throw new A3sError('too-large', `Cannot read ${what}: it has more than ${maxEntries} files`);
    }
    if (await readExtension(header, reader, pending)) continue;
    const { entry, data } = await readEntry(header, Buffer.from(block), reader, pending);
    pending = { pax: undefined, path: undefined, linkPath: undefined };
    yield entry;
    await data.skipRest();
  }
}

/** Takes in a header that only describes the next one. */
async function readExtension(
  header: Header,
  reader: ByteReader,
  pending: Pending,
): Promise<boolean> {
  const { what } = reader;
  switch (header.flag) {
    case 'x': {
      if (pending.pax !== undefined) throw corrupt(what, 'two extended headers in a row');
      pending.pax = parsePax(await readSmall(reader, header.size, MAX_PAX_BYTES), what);
      return true;
    }
    case 'g': {
      const records = parsePax(await readSmall(reader, header.size, MAX_PAX_BYTES), what);
      for (const key of records.keys()) {
        if (MEANINGFUL.test(key)) throw corrupt(what, `a global header sets ${key}`);
      }
      return true;
    }
    case 'L': {
      if (pending.path !== undefined) throw corrupt(what, 'two long names in a row');
      pending.path = await readLongName(reader, header.size);
      return true;
    }
    case 'K': {
      if (pending.linkPath !== undefined) throw corrupt(what, 'two long names in a row');
      pending.linkPath = await readLongName(reader, header.size);
      return true;
    }
    default:
      return false;
  }
}

async function readEntry(
  header: Header,
  block: Buffer,
  reader: ByteReader,
  pending: Pending,
): Promise<{ entry: TarEntry; data: EntryData }> {
  const { what } = reader;
  const pax: PaxRecords = pending.pax ?? new Map();
  const paxPath = paxText(pax, 'GNU.sparse.name', what) ?? paxText(pax, 'path', what);
  const paxLink = paxText(pax, 'linkpath', what);
  if (
    (paxPath !== undefined && pending.path !== undefined) ||
    (paxLink !== undefined && pending.linkPath !== undefined)
  ) {
    throw corrupt(what, 'an entry has two long names');
  }
  const path = paxPath ?? pending.path ?? header.path;
  const linkPath = paxLink ?? pending.linkPath ?? header.linkPath;
  if (path.length > MAX_NAME || linkPath.length > MAX_NAME) {
    throw corrupt(what, `the name ${printable(path)} is longer than ${MAX_NAME} bytes`);
  }
  const dataSize = paxNumber(pax, 'size', what) ?? header.size;
  const type = typeOf(header, path, dataSize, what);
  const sparse =
    header.flag === 'S'
      ? await readOldSparseMap(block, reader)
      : await readPaxSparseMap(pax, reader, dataSize);
  if (sparse !== undefined) {
    if (type !== 'file') throw corrupt(what, `${printable(path)} is sparse and not a file`);
    checkSparseMap(sparse, dataSize, what);
  }
  const data = new EntryData(reader, dataSize, sparse);
  const entry: TarEntry = {
    type,
    path,
    linkPath,
    mode: header.mode,
    uid: paxNumber(pax, 'uid', what) ?? header.uid,
    gid: paxNumber(pax, 'gid', what) ?? header.gid,
    mtime: paxTime(pax, 'mtime', what) ?? { seconds: header.mtime, nanoseconds: 0 },
    size: sparse?.size ?? dataSize,
    major: header.major,
    minor: header.minor,
    xattrs: xattrsOf(pax),
    body: data,
  };
  return { entry, data };
}

function typeOf(header: Header, path: string, size: number, what: string): EntryType {
  const type = TYPES[header.flag];
  if (type === undefined) {
    throw corrupt(what, `${printable(path)} has the unknown type ${JSON.stringify(header.flag)}`);
  }
  const real = type === 'file' && path.endsWith('/') ? 'directory' : type;
  // Some readers skip the data of such an entry, others take it for the next header.
  if (real !== 'file' && size !== 0) {
    throw corrupt(what, `${printable(path)} is no file and has data`);
  }
  return real;
}

function xattrsOf(pax: PaxRecords): ReadonlyMap<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const [key, value] of pax) {
    if (key.startsWith(XATTR)) xattrs.set(key.slice(XATTR.length), value);
  }
  return xattrs;
}

/** The data of the current entry, from where the reader stands. */
class EntryData implements AsyncIterable<Buffer> {
  readonly #reader: ByteReader;
  readonly #sparse: SparseMap | undefined;
  readonly #padding: number;
  #left: number;

  constructor(reader: ByteReader, size: number, sparse: SparseMap | undefined) {
    this.#reader = reader;
    this.#sparse = sparse;
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
    this.#left = size - (sparse?.consumed ?? 0);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    if (this.#sparse === undefined) return yield* this.#take(this.#left);
    let position = 0;
    const end: Extent = { offset: this.#sparse.size, length: 0 };
    for (const extent of [...this.#sparse.extents, end]) {
      yield* zeros(extent.offset - position);
      yield* this.#take(extent.length);
      position = extent.offset + extent.length;
    }
  }

  async skipRest(): Promise<void> {
    await this.#reader.skip(this.#left);
    this.#left = 0;
    // The data is whole even when the padding is not: umoci leaves it out at the end of a layer.
    for (let missing = this.#padding; missing > 0; ) {
      const chunk = await this.#reader.chunk(missing);
      if (chunk === undefined) return;
      missing -= chunk.length;
    }
  }

  async *#take(length: number): AsyncGenerator<Buffer> {
    for (let missing = length; missing > 0; ) {
      const chunk = await this.#reader.chunk(missing);
      if (chunk === undefined) throw this.#reader.truncated();
      missing -= chunk.length;
      this.#left -= chunk.length;
      yield chunk;
    }
  }
}

function* zeros(length: number): Generator<Buffer> {
  for (let missing = length; missing > 0; missing -= ZEROS.length) {
    yield missing < ZEROS.length ? ZEROS.subarray(0, missing) : ZEROS;
  }
}

async function readSmall(reader: ByteReader, size: number, maximum: number): Promise<Buffer> {
  if (size > maximum) throw corrupt(reader.what, `a header is larger than ${maximum} bytes`);
  if (size === 0) return Buffer.alloc(0);
  const body = await reader.read(size);
  if (body === undefined) throw reader.truncated();
  await reader.skip((BLOCK - (size % BLOCK)) % BLOCK);
  return body;
}

async function readLongName(reader: ByteReader, size: number): Promise<string> {
  const name = (await readSmall(reader, size, MAX_NAME + 1)).toString('latin1');
  const end = name.indexOf('\0');
  const text = end < 0 ? name : name.slice(0, end);
  if (text === '') throw corrupt(reader.what, 'a long name is empty');
  return text;
}

/** Reads to the end of the stream: only zeros may follow the end marker. */
async function skipPadding(reader: ByteReader): Promise<void> {
  const start = reader.position;
  for (;;) {
    const chunk = await reader.chunk(ZEROS.length);
    if (chunk === undefined) return;
    if (!chunk.equals(ZEROS.subarray(0, chunk.length))) {
      throw corrupt(reader.what, 'data follows its end marker');
    }
    if (reader.position - start > MAX_PADDING) {
      throw new A3sError('too-large', `Cannot read ${reader.what}: its end is padded without end`);
    }
  }
}
