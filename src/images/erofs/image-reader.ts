/**
 * Reads directories and links of an EROFS image as `image-writer.ts` writes it.
 *
 * A converter wrote it of an untrusted archive. Whatever does not fit is an error; no more than a
 * block is read at once, and nothing beyond the image.
 *
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import {
  BLOCK_SIZE,
  FILE_TYPE,
  FLAT_INLINE,
  FLAT_PLAIN,
  INODE_SIZE,
  imageBlocks,
  SLOT_SIZE,
  SUPERBLOCK_OFFSET,
} from './format.ts';

const ENTRY_SIZE = 12;
const ROOT_NID_OFFSET = SUPERBLOCK_OFFSET + 14;
const TYPE_BITS = 0o170000;
const XATTR_HEADER = 12;
const XATTR_ENTRY = 4;
/** `trusted.overlay.opaque`, as it is stored: the prefix is a number. */
const OPAQUE = { prefix: 4, name: 'overlay.opaque' };
/** The kernel's limit of a link's target. */
const MOST_TARGET = 4096;

export type FileKind = keyof typeof FILE_TYPE;

export interface Inode {
  readonly kind: FileKind | 'whiteout';
  /** Whether a directory hides what lower layers have there. */
  readonly opaque: boolean;
  readonly size: number;
  /** First byte of the data that lies in whole blocks, and of what follows the inode. */
  readonly blocksAt: number;
  readonly tailAt: number;
  /** How much of the data lies in whole blocks. */
  readonly outer: number;
}

export class ErofsReader {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #bytes: number;
  readonly #rootNid: number;

  private constructor(file: FileHandle, path: string, head: Buffer, blocks: number) {
    this.#file = file;
    this.#path = path;
    this.#bytes = blocks * BLOCK_SIZE;
    this.#rootNid = head.readUInt16LE(ROOT_NID_OFFSET);
  }

  /** Reads an image while `use` runs. @throws A3sError `invalid-image` for another file */
  static async reading<T>(path: string, use: (reader: ErofsReader) => Promise<T>): Promise<T> {
    const file = await open(path, 'r');
    try {
      const head = Buffer.alloc(BLOCK_SIZE);
      const { bytesRead } = await file.read(head, 0, BLOCK_SIZE, 0);
      const blocks = imageBlocks(head.subarray(0, bytesRead));
      if (blocks === undefined) throw damaged(path);
      return await use(new ErofsReader(file, path, head, blocks));
    } finally {
      await file.close();
    }
  }

  async root(): Promise<Inode> {
    const root = await this.#inode(this.#rootNid);
    if (root.kind !== 'directory') throw damaged(this.#path);
    return root;
  }

  /** @param name its bytes, each as one character of its code */
  async child(directory: Inode, name: string): Promise<Inode | undefined> {
    for (let at = 0; at < directory.size; at += BLOCK_SIZE) {
      const nid = this.#entry(await this.#block(directory, at), name);
      if (nid !== undefined) return await this.#inode(nid);
    }
    return undefined;
  }

  /** The bytes of a link's target, each as one character of its code. */
  async target(link: Inode): Promise<string> {
    if (link.size > MOST_TARGET) throw damaged(this.#path);
    return (await this.#block(link, 0)).toString('latin1');
  }

  /** The number of an inode by its name in a block of a directory. */
  #entry(block: Buffer, name: string): number | undefined {
    const names = this.#within(block, 8, 2).readUInt16LE(0);
    const count = names / ENTRY_SIZE;
    if (names > block.length || count < 1 || !Number.isInteger(count)) throw damaged(this.#path);
    for (let index = 0; index < count; index += 1) {
      const at = index * ENTRY_SIZE;
      const start = block.readUInt16LE(at + 8);
      const last = index === count - 1;
      const end = last ? block.length : block.readUInt16LE(at + ENTRY_SIZE + 8);
      if (start < names || start > end || end > block.length) throw damaged(this.#path);
      const found = block.toString('latin1', start, end);
      // The last name of a block may be shorter than what is left of it.
      if ((last ? found.replace(/\0.*$/s, '') : found) === name) {
        return Number(block.readBigUInt64LE(at));
      }
    }
    return undefined;
  }

  async #inode(nid: number): Promise<Inode> {
    const at = nid * SLOT_SIZE;
    const bytes = await this.#read(at, INODE_SIZE);
    const format = bytes.readUInt16LE(0);
    const layout = format >> 1;
    const extended = (format & 1) === 1;
    if (!extended || (layout !== FLAT_PLAIN && layout !== FLAT_INLINE)) throw damaged(this.#path);
    const count = bytes.readUInt16LE(2);
    const xattrBytes = count === 0 ? 0 : XATTR_HEADER + (count - 1) * XATTR_ENTRY;
    const size = Number(bytes.readBigUInt64LE(8));
    const address = bytes.readUInt32LE(16);
    const kind = this.#kind(bytes.readUInt16LE(4), address);
    const opaque =
      kind === 'directory' &&
      xattrBytes > 0 &&
      isOpaque(await this.#read(at + INODE_SIZE, xattrBytes));
    return {
      ...{ kind, opaque, size },
      blocksAt: address * BLOCK_SIZE,
      tailAt: at + INODE_SIZE + xattrBytes,
      outer: layout === FLAT_INLINE ? size - (size % BLOCK_SIZE) : size,
    };
  }

  #kind(mode: number, address: number): Inode['kind'] {
    const type = mode & TYPE_BITS;
    for (const [kind, { mode: own }] of Object.entries(FILE_TYPE)) {
      if (own !== type) continue;
      // Overlayfs takes a device of number 0 for it.
      if (kind === 'character' && address === 0) return 'whiteout';
      return kind as FileKind;
    }
    throw damaged(this.#path);
  }

  /** The block of an inode's data that begins there. */
  async #block({ size, outer, blocksAt, tailAt }: Inode, at: number): Promise<Buffer> {
    const length = Math.min(BLOCK_SIZE, size - at);
    return await this.#read(at < outer ? blocksAt + at : tailAt + (at - outer), length);
  }

  async #read(at: number, length: number): Promise<Buffer> {
    if (at + length > this.#bytes) throw damaged(this.#path);
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await this.#file.read(bytes, 0, length, at);
    if (bytesRead !== length) throw damaged(this.#path);
    return bytes;
  }

  #within(bytes: Buffer, at: number, length: number): Buffer {
    if (at + length > bytes.length) throw damaged(this.#path);
    return bytes.subarray(at, at + length);
  }
}

/** Whether overlayfs's mark is among the attributes of an inode. */
function isOpaque(xattrs: Buffer): boolean {
  let at = XATTR_HEADER;
  while (at + XATTR_ENTRY <= xattrs.length) {
    const [nameLength = 0, prefix] = xattrs.subarray(at);
    const valueLength = xattrs.readUInt16LE(at + 2);
    const nameAt = at + XATTR_ENTRY;
    const name = xattrs.toString('latin1', nameAt, nameAt + nameLength);
    if (prefix === OPAQUE.prefix && name === OPAQUE.name) return true;
    at += Math.ceil((XATTR_ENTRY + nameLength + valueLength) / 4) * 4;
  }
  return false;
}

function damaged(path: string): A3sError {
  return new A3sError(
    'invalid-image',
    `Cannot read ${path}: it is no disk that was made of a layer`,
  );
}
