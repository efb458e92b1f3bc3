/**
 * A sparse file without its holes. The form, numbers in little-endian:
 *
 * ```text
 * magic "A3SPACK1" | chunk size, 4 bytes | 4 bytes of zero | size of the file, 8 bytes     24 bytes
 * the chunks that are not zero, one after the other
 * a bit for each chunk of the file, the lowest bit of a byte first: whether it is there
 * ```
 *
 * Every document of the right length says one file, so nothing in it can lead a reader astray.
 *
 * @module
 */
import { createHash, type Hash } from 'node:crypto';
import { read } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { dataExtents } from '../engine/data-extents.ts';
import { Damaged } from './damaged.ts';

const readFd = promisify(read);

const MAGIC = Buffer.from('A3SPACK1', 'latin1');
const HEADER_BYTES = 24;
/**
 * The size of one read or write: a step of less than a millisecond, so that other work is not
 * delayed.
 */
const BLOCK_BYTES = 2 ** 20;

/**
 * The shape of a packed file. Its size is a whole number of chunks, and a chunk is at most 1 MiB.
 */
export interface Shape {
  readonly sizeBytes: number;
  readonly chunkBytes: number;
}

export interface Packed {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Packs all of a file.
 *
 * @param source descriptor of a file of that size, which nobody changes meanwhile
 * @param target an empty file
 * @throws the kernel's error where the target cannot be written, or the signal's reason
 */
export async function pack(
  source: number,
  shape: Shape,
  target: FileHandle,
  signal: AbortSignal,
): Promise<Packed> {
  const hash = createHash('sha256');
  const bitmap = Buffer.alloc(bitmapBytes(shape));
  let position = 0;
  const put = async (bytes: Buffer): Promise<void> => {
    signal.throwIfAborted();
    hash.update(bytes);
    await writeAll(target, bytes, position);
    position += bytes.length;
  };
  await put(header(shape));
  const zeros = Buffer.alloc(shape.chunkBytes);
  const block = Buffer.allocUnsafe(blockBytes(shape));
  let done = 0;
  for await (const extent of dataExtents(source, shape.sizeBytes)) {
    const end = roundUp(extent.end, shape.chunkBytes);
    // Two extents may share a chunk.
    for (let at = Math.max(done, roundDown(extent.start, shape.chunkBytes)); at < end; ) {
      const part = block.subarray(0, Math.min(block.length, end - at));
      await readAll(source, part, at);
      // Moved to the front of the block, so that one write takes them all.
      let kept = 0;
      for (let offset = 0; offset < part.length; offset += shape.chunkBytes) {
        const chunk = part.subarray(offset, offset + shape.chunkBytes);
        if (chunk.equals(zeros)) continue;
        mark(bitmap, (at + offset) / shape.chunkBytes);
        chunk.copy(part, kept);
        kept += shape.chunkBytes;
      }
      if (kept > 0) await put(part.subarray(0, kept));
      at += part.length;
    }
    done = Math.max(done, end);
  }
  await put(bitmap);
  return { bytes: position, sha256: hash.digest('hex') };
}

/**
 * Unpacks a file that must have this shape. The data that `sink` was given is valid only once this
 * returns.
 *
 * @param expected the shape that the packed file must have
 * @param sink called with the data in rising order of their offsets; it may keep none of the
 * buffers
 * @throws Damaged
 */
export async function unpack(
  source: FileHandle,
  shape: Shape,
  expected: Packed,
  sink: (offset: number, data: Buffer) => Promise<void>,
): Promise<void> {
  const { size } = await source.stat();
  if (size !== expected.bytes)
    throw new Damaged(`it has ${size} bytes instead of ${expected.bytes}`);
  const bitmap = Buffer.alloc(bitmapBytes(shape));
  const dataEnd = size - bitmap.length;
  if (dataEnd < HEADER_BYTES) throw new Damaged('it is too short');
  const head = Buffer.alloc(HEADER_BYTES);
  await readExpected(source, head, 0);
  if (!head.equals(header(shape))) throw new Damaged('it does not start as such a file does');
  await readExpected(source, bitmap, dataEnd);
  const chunks = markedChunks(bitmap, shape);
  if (HEADER_BYTES + chunks.length * shape.chunkBytes !== dataEnd) {
    throw new Damaged('its list of chunks does not fit its size');
  }
  const hash = createHash('sha256').update(head);
  await unpackChunks(source, shape, chunks, hash, sink);
  if (hash.update(bitmap).digest('hex') !== expected.sha256) {
    throw new Damaged('it does not have the SHA-256 that is on record');
  }
}

async function unpackChunks(
  source: FileHandle,
  shape: Shape,
  chunks: Uint32Array,
  hash: Hash,
  sink: (offset: number, data: Buffer) => Promise<void>,
): Promise<void> {
  const { chunkBytes } = shape;
  const block = Buffer.allocUnsafe(blockBytes(shape));
  const perBlock = block.length / chunkBytes;
  for (let first = 0; first < chunks.length; first += perBlock) {
    const indexes = chunks.subarray(first, first + perBlock);
    const part = block.subarray(0, indexes.length * chunkBytes);
    await readExpected(source, part, HEADER_BYTES + first * chunkBytes);
    hash.update(part);
    for (const { from, to } of runs(indexes)) {
      const data = part.subarray(from * chunkBytes, to * chunkBytes);
      await sink((indexes[from] ?? 0) * chunkBytes, data);
    }
  }
}

/** Chunks that follow each other in the file, as ranges of positions in `indexes`. */
function* runs(indexes: Uint32Array): Generator<{ from: number; to: number }> {
  let from = 0;
  for (let to = 1; to <= indexes.length; to += 1) {
    if (to < indexes.length && indexes[to] === (indexes[to - 1] ?? 0) + 1) continue;
    yield { from, to };
    from = to;
  }
}

function header({ sizeBytes, chunkBytes }: Shape): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(chunkBytes, 8);
  bytes.writeBigUInt64LE(BigInt(sizeBytes), 16);
  return bytes;
}

function mark(bitmap: Buffer, index: number): void {
  bitmap.writeUInt8(bitmap.readUInt8(index >> 3) | (1 << (index & 7)), index >> 3);
}

function markedChunks(bitmap: Buffer, shape: Shape): Uint32Array {
  const found: number[] = [];
  for (const [at, byte] of bitmap.entries()) {
    for (let bit = 0; byte >> bit !== 0; bit += 1) if ((byte >> bit) & 1) found.push(at * 8 + bit);
  }
  const last = found.at(-1) ?? 0;
  if (last >= chunkCount(shape) && found.length > 0) {
    throw new Damaged('its list of chunks goes beyond its end');
  }
  return Uint32Array.from(found);
}

function chunkCount({ sizeBytes, chunkBytes }: Shape): number {
  if (sizeBytes % chunkBytes === 0 && chunkBytes <= BLOCK_BYTES) return sizeBytes / chunkBytes;
  throw new RangeError(`Cannot pack ${sizeBytes} bytes in chunks of ${chunkBytes}`);
}

function bitmapBytes(shape: Shape): number {
  return Math.ceil(chunkCount(shape) / 8);
}

function blockBytes({ chunkBytes }: Shape): number {
  return roundDown(BLOCK_BYTES, chunkBytes);
}

function roundDown(value: number, step: number): number {
  return value - (value % step);
}

function roundUp(value: number, step: number): number {
  return roundDown(value + step - 1, step);
}

async function readAll(source: number, buffer: Buffer, position: number): Promise<void> {
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await readFd(source, buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) throw new RangeError('Cannot pack a file that became shorter');
    done += bytesRead;
  }
}

async function readExpected(source: FileHandle, buffer: Buffer, position: number): Promise<void> {
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await source.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) throw new Damaged('it became shorter');
    done += bytesRead;
  }
}

async function writeAll(target: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await target.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
