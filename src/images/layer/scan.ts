/**
 * Reads one layer's tar into a tree, and refuses entries that no honest layer has.
 *
 * The disk is written from the tree: names are unique in it, parents are directories, hard links
 * are second names of files of the same layer. So nothing in a layer can reach outside it, whatever
 * its entries say.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { corrupt, printable } from '../../oci/corrupt.ts';
import type { ByteReader } from '../byte-reader.ts';
import type { Limits } from '../limits.ts';
import { readTar, type TarEntry } from '../tar/read-tar.ts';
import {
  type Attributes,
  type DirectoryNode,
  implicitDirectory,
  type Node,
  WHITEOUT,
} from '../tree/tree.ts';
import { parseEntryPath } from './entry-path.ts';
import { keptXattrs } from './kept-xattrs.ts';
import type { Scratch } from './scratch.ts';

const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_MARKER = '.wh..wh..opq';
/** aufs kept its own files under this prefix; they mean nothing in an image. */
const AUFS_PREFIX = '.wh..wh.';

/** (uid_t) -1 means "unchanged" to the kernel, so nobody can have it. */
const MAX_ID = 0xffff_fffe;
const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xf_ffff;
const MAX_SYMLINK = 4095;

/** The remainder of the bounds that all layers of one disk share. */
export class LayerBudget {
  readonly limits: Limits;
  entries = 0;
  nameBytes = 0;
  dataBytes = 0;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  take(entry: TarEntry, what: string): void {
    const { layerEntries, layerNameBytes, layerBytes } = this.limits;
    this.entries += 1;
    this.nameBytes += entry.path.length + entry.linkPath.length;
    for (const [name, value] of entry.xattrs) this.nameBytes += name.length + value.length;
    this.dataBytes += entry.size;
    const over =
      this.entries > layerEntries
        ? `${layerEntries} files`
        : this.nameBytes > layerNameBytes
          ? `${layerNameBytes} bytes of names`
          : this.dataBytes > layerBytes
            ? `${layerBytes} bytes of data`
            : undefined;
    if (over !== undefined) {
      throw new A3sError('too-large', `Cannot use ${what}: it has more than ${over}`);
    }
  }
}

/**
 * @param layer the layer's index in its group, recorded in every file
 * @param scratch gets the data of the files
 * @throws A3sError `invalid-image` naming the offending entry, `too-large` over a bound
 */
export async function scanLayer(
  reader: ByteReader,
  layer: number,
  budget: LayerBudget,
  scratch?: Scratch,
): Promise<DirectoryNode> {
  const scan = new LayerScan(reader.what, layer);
  let index = 0;
  for await (const entry of readTar(reader, budget.limits.layerEntries)) {
    budget.take(entry, reader.what);
    scan.add(entry, index);
    if (entry.type === 'file') await scratch?.keep(layer, index, entry.size, entry.body);
    index += 1;
  }
  return scan.finish();
}

class LayerScan {
  readonly #what: string;
  readonly #layer: number;
  readonly #root = implicitDirectory();
  readonly #whiteouts: { parent: DirectoryNode; name: string }[] = [];

  constructor(what: string, layer: number) {
    this.#what = what;
    this.#layer = layer;
  }

  add(entry: TarEntry, index: number): void {
    const parts = parseEntryPath(entry.path, this.#what);
    const name = parts.at(-1);
    if (name === undefined) {
      this.#addRoot(entry);
      return;
    }
    const parent = this.#parentOf(parts, entry.path);
    if (name.startsWith(WHITEOUT_PREFIX)) {
      this.#addWhiteout(parent, name, entry.path);
      return;
    }
    if (entry.type === 'character' && entry.major === 0 && entry.minor === 0) {
      // Overlayfs itself stores a whiteout like this, so the box would see a whiteout.
      this.#whiteouts.push({ parent, name });
      return;
    }
    const existing = parent.children.get(name);
    if (entry.type === 'directory' && existing?.kind === 'directory') {
      existing.attributes = this.#attributes(entry);
      existing.explicit = true;
      return;
    }
    parent.children.set(name, this.#node(entry, index));
  }

  /**
   * Whiteouts refer to lower layers: an entry of the layer itself with the name stays, at whatever
   * position it comes.
   */
  finish(): DirectoryNode {
    for (const { parent, name } of this.#whiteouts) {
      const own = parent.children.get(name);
      if (own === undefined) parent.children.set(name, WHITEOUT);
      else if (own.kind === 'directory') own.opaque = true;
    }
    return this.#root;
  }

  #addRoot(entry: TarEntry): void {
    if (entry.type !== 'directory') throw corrupt(this.#what, 'its root is not a directory');
    this.#root.attributes = this.#attributes(entry);
    this.#root.explicit = true;
  }

  #addWhiteout(parent: DirectoryNode, name: string, path: string): void {
    if (name === OPAQUE_MARKER) {
      parent.opaque = true;
      return;
    }
    if (name.startsWith(AUFS_PREFIX)) return;
    const hidden = name.slice(WHITEOUT_PREFIX.length);
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw corrupt(this.#what, `the whiteout ${printable(path)} names nothing`);
    }
    this.#whiteouts.push({ parent, name: hidden });
  }

  #parentOf(parts: readonly string[], path: string): DirectoryNode {
    let directory = this.#root;
    for (const part of parts.slice(0, -1)) {
      if (part.startsWith(WHITEOUT_PREFIX)) {
        throw corrupt(this.#what, `${printable(path)} lies below a whiteout`);
      }
      let child = directory.children.get(part);
      if (child === undefined) {
        child = implicitDirectory();
        directory.children.set(part, child);
      }
      if (child.kind === 'symlink') {
        throw corrupt(this.#what, `${printable(path)} is written through a symbolic link`);
      }
      if (child.kind !== 'directory') {
        throw corrupt(this.#what, `${printable(path)} lies below a file`);
      }
      directory = child;
    }
    return directory;
  }

  #node(entry: TarEntry, index: number): Node {
    const { type } = entry;
    if (type === 'hardlink') return this.#linked(entry);
    const attributes = this.#attributes(entry);
    switch (type) {
      case 'file':
        return { kind: type, attributes, size: entry.size, layer: this.#layer, entry: index };
      case 'directory':
        return { ...implicitDirectory(), attributes, explicit: true };
      case 'symlink':
        if (entry.linkPath === '' || entry.linkPath.length > MAX_SYMLINK) {
          throw corrupt(this.#what, `the link ${printable(entry.path)} has no usable target`);
        }
        // Linux has no other mode for a link, whatever archives say.
        return { kind: type, attributes: { ...attributes, mode: 0o777 }, target: entry.linkPath };
      case 'character':
      case 'block':
        if (entry.major > MAX_MAJOR || entry.minor > MAX_MINOR) {
          throw corrupt(this.#what, `${printable(entry.path)} has an impossible device number`);
        }
        return { kind: type, attributes, major: entry.major, minor: entry.minor };
      case 'fifo':
        return { kind: type, attributes };
    }
  }

  /** The node that a hard link names. Links on the way to it are not followed. */
  #linked(entry: TarEntry): Node {
    let node: Node | undefined = this.#root;
    for (const part of parseEntryPath(entry.linkPath, this.#what)) {
      node = node?.kind === 'directory' ? node.children.get(part) : undefined;
    }
    if (node === undefined || node.kind === 'directory') {
      const reason = node === undefined ? 'which is not before it in this layer' : 'a directory';
      throw corrupt(
        this.#what,
        `${printable(entry.path)} is a hard link to ${printable(entry.linkPath)}, ${reason}`,
      );
    }
    return node;
  }

  #attributes(entry: TarEntry): Attributes {
    if (entry.uid > MAX_ID || entry.gid > MAX_ID) {
      throw corrupt(this.#what, `${printable(entry.path)} has an impossible owner`);
    }
    return {
      mode: entry.mode & 0o7777,
      uid: entry.uid,
      gid: entry.gid,
      mtime: entry.mtime,
      xattrs: keptXattrs(entry.xattrs, entry.path, this.#what),
    };
  }
}
