/**
 * Computes the position of every part of a tree in its image, before any data is read.
 *
 * The order is the order of sorted names for inodes, and of the archives for file data. So one tree
 * gives one image, and data is written in one sweep.
 *
 * @module
 */
import type { DirectoryNode, FileNode, Node, WhiteoutNode } from '../tree/tree.ts';
import { type DirectoryPlan, planDirectory } from './directory.ts';
import { encodeXattrs } from './encode-xattrs.ts';
import { BLOCK_SIZE, INODE_SIZE, METADATA_START, SLOT_SIZE } from './format.ts';

/**
 * A longer last part of a file gets its own block: behind the inode it would waste as much space.
 */
const MAX_INLINE = BLOCK_SIZE / 2;
/** Metadata is built in memory, so no more parts of files go into it beyond this. */
const MAX_INLINE_METADATA = 64 * 1024 * 1024;

const OPAQUE_NAME = 'trusted.overlay.opaque';
const OPAQUE_VALUE = Buffer.from('y');

/** One inode, placed. */
export interface Placed {
  readonly node: Node;
  readonly serial: number;
  /** Offset in the image. */
  readonly offset: number;
  readonly xattrs: Buffer;
  /** Bytes of data. */
  readonly size: number;
  /** Bytes of the data that follow the inode. */
  readonly inlined: number;
  /** First block of the rest. */
  block: number;
  links: number;
  readonly directory: { readonly plan: DirectoryPlan; readonly parent: number } | undefined;
}

export interface Layout {
  /** In order of offsets; the root is first. */
  readonly inodes: readonly Placed[];
  /** Every hard link of a node is the same inode, and so are all whiteouts. */
  readonly byNode: ReadonlyMap<Node, Placed>;
  /** Files in the order of their data. */
  readonly files: readonly (Placed & { readonly node: FileNode })[];
  /** Bytes before the first file's data: superblock, inodes, directories, long link targets. */
  readonly headBytes: number;
  readonly blocks: number;
}

export function layOut(root: DirectoryNode): Layout {
  const placement = new Placement();
  placement.visit(root);
  return placement.finish();
}

class Placement {
  readonly #inodes: Placed[] = [];
  readonly #byNode = new Map<Node, Placed>();
  #end = METADATA_START;

  visit(root: DirectoryNode): void {
    // Uses an explicit stack: a hostile tree is deeper than the call stack.
    const pending: { node: Node; parent: number }[] = [{ node: root, parent: 0 }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { node, parent } = next;
      const known = this.#byNode.get(node);
      if (known !== undefined) {
        known.links += 1;
        continue;
      }
      const placed = this.#place(node, parent);
      if (node.kind !== 'directory') continue;
      const names = placed.directory?.plan.names ?? [];
      for (const name of names.toReversed()) {
        const child = node.children.get(name);
        if (child === undefined) continue;
        if (child.kind === 'directory') placed.links += 1;
        pending.push({ node: child, parent: placed.serial });
      }
    }
  }

  finish(): Layout {
    let block = Math.ceil(this.#end / BLOCK_SIZE);
    const files: (Placed & { readonly node: FileNode })[] = [];
    for (const placed of this.#inodes) {
      if (isFile(placed)) {
        files.push(placed);
        continue;
      }
      placed.block = block;
      block += outerBlocks(placed);
    }
    const headBytes = block * BLOCK_SIZE;
    files.sort((a, b) => a.node.layer - b.node.layer || a.node.entry - b.node.entry);
    for (const placed of files) {
      placed.block = block;
      block += outerBlocks(placed);
    }
    return { inodes: this.#inodes, byNode: this.#byNode, files, headBytes, blocks: block };
  }

  #place(node: Node, parent: number): Placed {
    const xattrs = encodeXattrs(xattrsOf(node));
    const plan = node.kind === 'directory' ? planDirectory(node.children.keys()) : undefined;
    const size = plan?.size ?? dataSize(node);
    const header = INODE_SIZE + xattrs.length;
    const inlined = this.#inlined(node, header, size);
    const serial = this.#inodes.length;
    const placed: Placed = {
      node,
      serial,
      offset: this.#allocate(header + inlined),
      xattrs,
      size,
      inlined,
      block: 0,
      links: node.kind === 'directory' ? 2 : 1,
      directory: plan === undefined ? undefined : { plan, parent },
    };
    this.#inodes.push(placed);
    this.#byNode.set(node, placed);
    return placed;
  }

  /** How much of the data follows the inode: its last, incomplete block or nothing. */
  #inlined(node: Node, header: number, size: number): number {
    const tail = size % BLOCK_SIZE;
    const full = node.kind === 'file' && this.#end > MAX_INLINE_METADATA;
    return full || tail > MAX_INLINE || header + tail > BLOCK_SIZE ? 0 : tail;
  }

  /**
   * Inodes with what follows them stay within a block, unless their attributes alone are larger.
   */
  #allocate(bytes: number): number {
    let offset = Math.ceil(this.#end / SLOT_SIZE) * SLOT_SIZE;
    if ((offset % BLOCK_SIZE) + bytes > BLOCK_SIZE) {
      offset = Math.ceil(offset / BLOCK_SIZE) * BLOCK_SIZE;
    }
    this.#end = offset + bytes;
    return offset;
  }
}

/** Blocks of data beside those bytes that follow the inode. */
export function outerBlocks({ size, inlined }: Placed): number {
  return Math.ceil((size - inlined) / BLOCK_SIZE);
}

function isFile(placed: Placed): placed is Placed & { readonly node: FileNode } {
  return placed.node.kind === 'file';
}

function dataSize(node: Node): number {
  if (node.kind === 'file') return node.size;
  return node.kind === 'symlink' ? node.target.length : 0;
}

function xattrsOf(node: Node): ReadonlyMap<string, Buffer> {
  if (isWhiteout(node)) return new Map();
  const { xattrs } = node.attributes;
  if (node.kind !== 'directory' || !node.opaque) return xattrs;
  return new Map([...xattrs, [OPAQUE_NAME, OPAQUE_VALUE]]);
}

function isWhiteout(node: Node): node is WhiteoutNode {
  return node.kind === 'whiteout';
}
