/**
 * Sparse files: GNU's old form in header blocks, and its PAX forms 0.1 and 1.0.
 *
 * @module
 */

import { corrupt } from '../../oci/corrupt.ts';
import type { ByteReader } from '../byte-reader.ts';
import { BLOCK, parseNumber } from './header.ts';
import { type PaxRecords, paxNumber, paxText } from './pax.ts';

/** A stretch of data; zeros lie between. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export interface SparseMap {
  readonly extents: readonly Extent[];
  /** Size of the file with its zeros. */
  readonly size: number;
  /** Bytes of the map itself, taken from the entry's data. */
  readonly consumed: number;
}

const MAX_EXTENTS = 65_536;

/** The map of an entry of type `S`, whose header block is given; more blocks may follow. */
export async function readOldSparseMap(block: Buffer, reader: ByteReader): Promise<SparseMap> {
  const numbers: number[] = [];
  const collect = (from: Buffer, offset: number, count: number): void => {
    for (let index = 0; index < count; index += 1) {
      const at = offset + index * 24;
      // An unused pair is all zero bytes.
      if (from[at] === 0 && from[at + 12] === 0) continue;
      for (const start of [at, at + 12]) {
        numbers.push(parseNumber(from.subarray(start, start + 12), 'sparse map', reader.what));
      }
    }
  };
  collect(block, 386, 4);
  const size = parseNumber(block.subarray(483, 495), 'real size', reader.what);
  for (let more = block[482] !== 0; more; ) {
    const extension = await reader.read(BLOCK);
    if (extension === undefined) throw reader.truncated();
    collect(extension, 0, 21);
    checkCount(numbers.length, reader.what);
    more = extension[504] !== 0;
  }
  return { extents: pairs(numbers, reader.what), size, consumed: 0 };
}

/** The map that PAX records announce; undefined where the entry is not sparse. */
export async function readPaxSparseMap(
  records: PaxRecords,
  reader: ByteReader,
  dataSize: number,
): Promise<SparseMap | undefined> {
  const { what } = reader;
  const major = paxText(records, 'GNU.sparse.major', what);
  const minor = paxText(records, 'GNU.sparse.minor', what);
  const map = paxText(records, 'GNU.sparse.map', what);
  if (major === undefined && map === undefined) {
    const announced = [...records.keys()].some((key) => key.startsWith('GNU.sparse.'));
    if (announced) throw corrupt(what, 'a sparse file has an unknown form');
    return undefined;
  }
  if (major === '1' && minor === '0') {
    const size = paxNumber(records, 'GNU.sparse.realsize', what);
    if (size === undefined) throw corrupt(what, 'a sparse file has no size');
    const { numbers, consumed } = await readDecimalMap(reader, dataSize);
    return { extents: pairs(numbers, what), size, consumed };
  }
  const size = paxNumber(records, 'GNU.sparse.size', what);
  if (major !== undefined || map === undefined || size === undefined) {
    throw corrupt(what, 'a sparse file has an unknown form');
  }
  const numbers = map.split(',').map((digits) => decimal(digits, what));
  return { extents: pairs(numbers, what), size, consumed: 0 };
}

/** Form 1.0: a count and as many pairs, one number a line, padded to whole blocks. */
async function readDecimalMap(
  reader: ByteReader,
  dataSize: number,
): Promise<{ numbers: number[]; consumed: number }> {
  const numbers: number[] = [];
  let consumed = 0;
  let rest = '';
  for (;;) {
    if (consumed + BLOCK > dataSize) throw corrupt(reader.what, 'a sparse map is incomplete');
    const block = await reader.read(BLOCK);
    if (block === undefined) throw reader.truncated();
    consumed += BLOCK;
    const lines = (rest + block.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      numbers.push(decimal(line, reader.what));
      const count = numbers[0] ?? 0;
      checkCount(count * 2, reader.what);
      if (numbers.length === 1 + 2 * count) return { numbers: numbers.slice(1), consumed };
    }
    if (rest.length > 20) throw corrupt(reader.what, 'a sparse map is malformed');
  }
}

/** Refuses maps whose extents overlap, run backwards or do not add up. */
export function checkSparseMap(map: SparseMap, dataSize: number, what: string): void {
  let end = 0;
  let sum = map.consumed;
  for (const { offset, length } of map.extents) {
    if (offset < end || offset + length > map.size) {
      throw corrupt(what, "a sparse map's parts overlap or lie outside the file");
    }
    end = offset + length;
    sum += length;
  }
  if (sum !== dataSize) throw corrupt(what, 'a sparse map does not add up to its data');
}

function pairs(numbers: readonly number[], what: string): Extent[] {
  checkCount(numbers.length, what);
  const extents: Extent[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    const offset = numbers[index];
    const length = numbers[index + 1];
    if (offset === undefined || length === undefined || offset < 0 || length < 0) {
      throw corrupt(what, 'a sparse map is malformed');
    }
    extents.push({ offset, length });
  }
  return extents;
}

function checkCount(numbers: number, what: string): void {
  if (numbers > 2 * MAX_EXTENTS) {
    throw corrupt(what, `a sparse map has more than ${MAX_EXTENTS} parts`);
  }
}

function decimal(digits: string, what: string): number {
  const number = Number(digits);
  if (!/^[0-9]{1,16}$/.test(digits) || !Number.isSafeInteger(number)) {
    throw corrupt(what, 'a sparse map is malformed');
  }
  return number;
}
