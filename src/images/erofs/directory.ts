/**
 * Directory contents: blocks that hold a table of entries and then their names, sorted by bytes
 * throughout.
 *
 * @module
 */
import { BLOCK_SIZE } from './format.ts';

const ENTRY_SIZE = 12;

/** How a directory's names, sorted, fill its blocks. */
export interface DirectoryPlan {
  /** Names with `.` and `..`, sorted. */
  readonly names: readonly string[];
  /** Index of each block's first name. */
  readonly starts: readonly number[];
  /** Bytes of all blocks, the last one only as far as it is filled. */
  readonly size: number;
}

/**
 * Names are bytes, each as one character of its code, so that their order is the order of bytes.
 */
export function planDirectory(children: Iterable<string>): DirectoryPlan {
  const names = ['.', '..', ...children].sort((a, b) => (a < b ? -1 : 1));
  const starts: number[] = [];
  let used = BLOCK_SIZE;
  for (const [index, name] of names.entries()) {
    const needed = ENTRY_SIZE + name.length;
    if (used + needed > BLOCK_SIZE) {
      starts.push(index);
      used = 0;
    }
    used += needed;
  }
  return { names, starts, size: (starts.length - 1) * BLOCK_SIZE + used };
}

/** One block's bytes; `resolve` gives each name's inode number and file type. */
export function encodeDirectoryBlock(
  plan: DirectoryPlan,
  block: number,
  resolve: (name: string) => { nid: number; type: number },
): Buffer {
  const names = plan.names.slice(plan.starts[block], plan.starts[block + 1]);
  const size = names.reduce((sum, name) => sum + ENTRY_SIZE + name.length, 0);
  const bytes = Buffer.alloc(size);
  let nameOffset = names.length * ENTRY_SIZE;
  for (const [index, name] of names.entries()) {
    const { nid, type } = resolve(name);
    const at = index * ENTRY_SIZE;
    bytes.writeBigUInt64LE(BigInt(nid), at);
    bytes.writeUInt16LE(nameOffset, at + 8);
    bytes.writeUInt8(type, at + 10);
    bytes.write(name, nameOffset, 'latin1');
    nameOffset += name.length;
  }
  return bytes;
}
