/**
 * Headers of the tar archives that are written here: equal inputs give equal bytes, so no time and
 * no owner is in them.
 *
 * @module
 */
import { BLOCK } from './header.ts';

/** The largest value of a size field of eleven octal digits. */
const MAX_OCTAL_SIZE = 0o77777777777;
const MAX_NAME = 100;

/** The blocks that stand before a file's data, or for a directory. */
export function entryHeader(
  path: string,
  entry: { readonly type: 'file'; readonly size: number } | { readonly type: 'directory' },
): Buffer {
  if (entry.type === 'directory') return header(path, '5', 0o755, 0);
  if (entry.size <= MAX_OCTAL_SIZE) return header(path, '0', 0o644, entry.size);
  // POSIX.1-2001: the record takes precedence, and the field holds what fits.
  const record = paxRecord('size', String(entry.size));
  return Buffer.concat([
    header('PaxHeaders/size', 'x', 0o644, record.length),
    record,
    padding(record.length),
    header(path, '0', 0o644, 0),
  ]);
}

/** The zeros between so much data and the next header. */
export function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The end marker of an archive. */
export function endOfArchive(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

function header(path: string, flag: string, mode: number, size: number): Buffer {
  if (Buffer.byteLength(path) > MAX_NAME) throw new RangeError(`${path} is too long for a header`);
  const block = Buffer.alloc(BLOCK);
  block.write(path, 0);
  octal(block, mode, 100, 8);
  octal(block, 0, 108, 8);
  octal(block, 0, 116, 8);
  octal(block, size, 124, 12);
  octal(block, 0, 136, 12);
  block.write(flag, 156, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** `LENGTH NAME=VALUE\n`, where the length counts its own digits. */
function paxRecord(name: string, value: string): Buffer {
  const rest = ` ${name}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length += 1;
  return Buffer.from(`${length}${rest}`);
}

function octal(block: Buffer, value: number, offset: number, width: number): void {
  block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset, width, 'latin1');
}
