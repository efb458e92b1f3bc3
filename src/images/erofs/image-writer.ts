/**
 * Writes a tree as an EROFS image: first the files' data as the archives give it, last everything
 * that describes it.
 *
 * @module
 */
import type { DiskBudget } from '../disk-budget.ts';
import type { DirectoryNode, FileNode, Node } from '../tree/tree.ts';
import { encodeDirectoryBlock } from './directory.ts';
import {
  BLOCK_SIZE,
  deviceNumber,
  FILE_TYPE,
  FLAT_INLINE,
  FLAT_PLAIN,
  INODE_SIZE,
  SLOT_SIZE,
  writeInode,
  writeSuperblock,
} from './format.ts';
import { type Layout, layOut, outerBlocks, type Placed } from './layout.ts';
import { type PositionedFile, SparseWriter, writeFully } from './sparse-writer.ts';

/** The same for every image: equal layers give equal bytes. */
const UUID = Buffer.from('a3b0c0de0e4040f58000000000000001', 'hex');

export class ErofsWriter {
  readonly #layout: Layout;
  readonly #head: Buffer;
  readonly #file: PositionedFile;
  readonly #data: SparseWriter;
  #next = 0;

  constructor(root: DirectoryNode, file: PositionedFile, budget: DiskBudget) {
    this.#layout = layOut(root);
    this.#head = Buffer.alloc(this.#layout.headBytes);
    budget.take(this.#head.length);
    this.#file = file;
    this.#data = new SparseWriter(file, this.#head.length, budget);
  }

  /**
   * The file whose data is wanted, in the order of the archives; undefined when all of it is there.
   */
  get next(): FileNode | undefined {
    return this.#layout.files[this.#next]?.node;
  }

  /** Takes data of the wanted file. */
  async writeData(body: AsyncIterable<Buffer>): Promise<void> {
    const placed = this.#layout.files[this.#next];
    if (placed === undefined) throw new RangeError('Cannot write data: every file has its own');
    this.#next += 1;
    const outer = placed.size - placed.inlined;
    const tailAt = placed.offset + INODE_SIZE + placed.xattrs.length;
    let written = 0;
    for await (const chunk of body) {
      const before = chunk.subarray(0, Math.max(0, outer - written));
      await this.#data.write(before);
      const tail = chunk.subarray(before.length);
      tail.copy(this.#head, tailAt + Math.max(0, written - outer));
      written += chunk.length;
    }
    if (written !== placed.size) throw new RangeError('Cannot write data: it has another size');
    await this.#data.align(BLOCK_SIZE);
  }

  /** Writes the rest. @throws RangeError when a file's data is missing */
  async finish(): Promise<void> {
    if (this.#next !== this.#layout.files.length) {
      throw new RangeError('Cannot finish the image: the data of a file is missing');
    }
    await this.#data.flush();
    for (const placed of this.#layout.inodes) this.#describe(placed);
    const [root] = this.#layout.inodes;
    writeSuperblock(this.#head, {
      rootNid: nidOf(root),
      inodes: this.#layout.inodes.length,
      blocks: this.#layout.blocks,
      uuid: UUID,
    });
    await writeFully(this.#file, this.#head, 0);
    // Trailing holes count too.
    await this.#file.truncate(this.#layout.blocks * BLOCK_SIZE);
  }

  #describe(placed: Placed): void {
    const { node } = placed;
    const attributes = node.kind === 'whiteout' ? undefined : node.attributes;
    const type = FILE_TYPE[kindOf(node)];
    writeInode(this.#head, placed.offset, {
      layout: placed.inlined > 0 ? FLAT_INLINE : FLAT_PLAIN,
      xattrBytes: placed.xattrs.length,
      mode: type.mode | (attributes?.mode ?? 0),
      size: placed.size,
      address: addressOf(placed),
      serial: placed.serial + 1,
      uid: attributes?.uid ?? 0,
      gid: attributes?.gid ?? 0,
      seconds: attributes?.mtime.seconds ?? 0,
      nanoseconds: attributes?.mtime.nanoseconds ?? 0,
      links: placed.links,
    });
    placed.xattrs.copy(this.#head, placed.offset + INODE_SIZE);
    if (node.kind === 'directory') this.#writeDirectory(placed, node);
    if (node.kind === 'symlink') this.#place(placed, 0, Buffer.from(node.target, 'latin1'));
  }

  #writeDirectory(placed: Placed, node: DirectoryNode): void {
    const { directory } = placed;
    if (directory === undefined) return;
    const resolve = (name: string): { nid: number; type: number } => {
      if (name === '.') return entryOf(placed);
      if (name === '..') return entryOf(this.#layout.inodes[directory.parent]);
      const child = node.children.get(name);
      return entryOf(child === undefined ? undefined : this.#layout.byNode.get(child));
    };
    for (const block of directory.plan.starts.keys()) {
      this.#place(placed, block, encodeDirectoryBlock(directory.plan, block, resolve));
    }
  }

  /** Puts one block of an inode's data where the layout wants it. */
  #place(placed: Placed, block: number, bytes: Buffer): void {
    const offset =
      block < outerBlocks(placed)
        ? (placed.block + block) * BLOCK_SIZE
        : placed.offset + INODE_SIZE + placed.xattrs.length;
    bytes.copy(this.#head, offset);
  }
}

function kindOf(node: Node): keyof typeof FILE_TYPE {
  return node.kind === 'whiteout' ? 'character' : node.kind;
}

function addressOf(placed: Placed): number {
  const { node } = placed;
  if (node.kind === 'character' || node.kind === 'block') {
    return deviceNumber(node.major, node.minor);
  }
  return outerBlocks(placed) === 0 ? 0 : placed.block;
}

function entryOf(placed: Placed | undefined): { nid: number; type: number } {
  if (placed === undefined) throw new RangeError('Cannot write a directory: an inode is missing');
  return { nid: nidOf(placed), type: FILE_TYPE[kindOf(placed.node)].entry };
}

function nidOf(placed: Placed | undefined): number {
  return (placed?.offset ?? 0) / SLOT_SIZE;
}
