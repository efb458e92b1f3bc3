/**
 * Hash trees as dm-verity reads them: format 1, SHA-256, data and hash blocks of 4096 bytes, no
 * superblock.
 *
 * A hash block holds the digests of 128 blocks below it; the topmost comes first, and the root is
 * its digest. Data of a single block has no tree: the root is the digest of that block (Linux,
 * drivers/md/dm-verity-target.c).
 *
 * @module
 */
import { createHash } from 'node:crypto';

/** Bytes of a data block and of a hash block. */
export const VERITY_BLOCK = 4096;
const DIGEST = 32;
const FANOUT = VERITY_BLOCK / DIGEST;

/**
 * Called with each block of the tree once it is complete, in no order, each once. `offset` counts
 * from the start of the tree.
 */
export type TreeSink = (block: Buffer, offset: number) => Promise<void>;

/**
 * The salt of a layer's tree: a property of the layer, so that equal layers have equal trees
 * everywhere.
 */
export function saltOf(diffId: string): Buffer {
  return createHash('sha256').update(diffId, 'utf8').digest();
}

/** Bytes of the tree over `bytes` of data. */
export function treeBytes(bytes: number): number {
  return levelsOf(bytes).reduce((sum, blocks) => sum + blocks * VERITY_BLOCK, 0);
}

/**
 * The root over `bytes` of data, in chunks of any length. Holds one hash block a level, whatever
 * the data's size.
 *
 * @throws RangeError when the data has another length
 */
export async function verityRoot(
  data: AsyncIterable<Uint8Array>,
  {
    bytes,
    salt,
    sink,
  }: { readonly bytes: number; readonly salt: Buffer; readonly sink?: TreeSink },
): Promise<Buffer> {
  const tree = new TreeWriter(bytes, salt, sink ?? (() => Promise.resolve()));
  for await (const block of inBlocks(data)) await tree.add(block);
  return await tree.finish();
}

/** Blocks of each level of the tree, from the one over the data up. */
function levelsOf(bytes: number): readonly number[] {
  if (!Number.isSafeInteger(bytes) || bytes <= 0 || bytes % VERITY_BLOCK !== 0) {
    throw new RangeError(`Cannot make a hash tree: ${bytes} bytes are not whole blocks`);
  }
  const levels: number[] = [];
  for (let blocks = bytes / VERITY_BLOCK; blocks > 1; ) {
    blocks = Math.ceil(blocks / FANOUT);
    levels.push(blocks);
  }
  return levels;
}

interface Level {
  readonly block: Buffer;
  filled: number;
  /** Offset in the tree of the block that is being filled. */
  offset: number;
}

class TreeWriter {
  readonly #salt: Buffer;
  readonly #sink: TreeSink;
  readonly #levels: readonly Level[];
  #missing: number;
  #root: Buffer | undefined;

  constructor(bytes: number, salt: Buffer, sink: TreeSink) {
    this.#salt = salt;
    this.#sink = sink;
    this.#missing = bytes / VERITY_BLOCK;
    let end = treeBytes(bytes);
    this.#levels = levelsOf(bytes).map((blocks) => {
      end -= blocks * VERITY_BLOCK;
      return { block: Buffer.alloc(VERITY_BLOCK), filled: 0, offset: end };
    });
  }

  async add(data: Buffer): Promise<void> {
    this.#missing -= 1;
    if (this.#missing < 0) throw wrongLength();
    await this.#put(this.#digest(data), 0);
  }

  async finish(): Promise<Buffer> {
    if (this.#missing !== 0) throw wrongLength();
    for (let index = 0; index < this.#levels.length; index += 1) await this.#close(index);
    if (this.#root === undefined) throw wrongLength();
    return this.#root;
  }

  /** Hands a digest to a level; the one above the topmost is the root. */
  async #put(digest: Buffer, index: number): Promise<void> {
    const level = this.#levels[index];
    if (level === undefined) {
      this.#root = digest;
      return;
    }
    digest.copy(level.block, level.filled);
    level.filled += DIGEST;
    if (level.filled === VERITY_BLOCK) await this.#close(index);
  }

  async #close(index: number): Promise<void> {
    const level = this.#levels[index];
    if (level === undefined || level.filled === 0) return;
    level.block.fill(0, level.filled);
    level.filled = 0;
    await this.#sink(level.block, level.offset);
    level.offset += VERITY_BLOCK;
    await this.#put(this.#digest(level.block), index + 1);
  }

  #digest(block: Buffer): Buffer {
    return createHash('sha256').update(this.#salt).update(block).digest();
  }
}

/** @throws RangeError when the last block is not whole */
async function* inBlocks(data: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of data) {
    let bytes: Buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (rest.length > 0) bytes = Buffer.concat([rest, bytes]);
    let at = 0;
    for (; at + VERITY_BLOCK <= bytes.length; at += VERITY_BLOCK) {
      yield bytes.subarray(at, at + VERITY_BLOCK);
    }
    rest = bytes.subarray(at);
  }
  if (rest.length > 0) throw wrongLength();
}

function wrongLength(): RangeError {
  return new RangeError('Cannot make a hash tree: the data has another length');
}
