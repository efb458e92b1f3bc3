/**
 * The files of a layer, or of several merged ones, as they will appear in a disk.
 *
 * Names and link targets are bytes, each as one character of its code.
 *
 * @module
 */
import type { Timestamp } from '../tar/pax.ts';

export interface Attributes {
  /** Permission bits, with set-user-ID, set-group-ID and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

export interface DirectoryNode {
  readonly kind: 'directory';
  attributes: Attributes;
  readonly children: Map<string, Node>;
  /** Hides what lower layers have here. */
  opaque: boolean;
  /** Has an entry of its own; otherwise it is only part of other names. */
  explicit: boolean;
}

export interface FileNode {
  readonly kind: 'file';
  readonly attributes: Attributes;
  readonly size: number;
  /** Where the data is: index of the layer in its group, of the entry in its archive. */
  readonly layer: number;
  readonly entry: number;
}

export interface SymlinkNode {
  readonly kind: 'symlink';
  readonly attributes: Attributes;
  readonly target: string;
}

export interface DeviceNode {
  readonly kind: 'character' | 'block';
  readonly attributes: Attributes;
  readonly major: number;
  readonly minor: number;
}

export interface FifoNode {
  readonly kind: 'fifo';
  readonly attributes: Attributes;
}

/** Hides a file of that name in lower layers. */
export interface WhiteoutNode {
  readonly kind: 'whiteout';
}

export type Node = DirectoryNode | FileNode | SymlinkNode | DeviceNode | FifoNode | WhiteoutNode;

export const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

/** The attributes of a directory that no entry describes. */
const IMPLICIT: Attributes = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  xattrs: NO_XATTRS,
};

export const WHITEOUT: WhiteoutNode = { kind: 'whiteout' };

export function implicitDirectory(): DirectoryNode {
  return {
    kind: 'directory',
    attributes: IMPLICIT,
    children: new Map(),
    opaque: false,
    explicit: false,
  };
}

/**
 * Merges `upper` into `lower`, which it changes. Nothing lies below the result: it has neither
 * whiteouts nor opaque directories.
 */
export function mergeOver(lower: DirectoryNode, upper: DirectoryNode): void {
  if (upper.opaque) lower.children.clear();
  if (upper.explicit) {
    lower.attributes = upper.attributes;
    lower.explicit = true;
  }
  for (const [name, node] of upper.children) {
    if (node.kind === 'whiteout') {
      lower.children.delete(name);
    } else if (node.kind !== 'directory') {
      lower.children.set(name, node);
    } else {
      let below = lower.children.get(name);
      if (below?.kind !== 'directory') {
        below = implicitDirectory();
        lower.children.set(name, below);
      }
      mergeOver(below, node);
    }
  }
}

/** Whether a directory below the root has no entry of its own. */
export function hasImplicit(root: DirectoryNode): boolean {
  const pending = [root];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const node of next.children.values()) {
      if (node.kind !== 'directory') continue;
      if (!node.explicit) return true;
      pending.push(node);
    }
  }
  return false;
}

/**
 * Gives directories without an entry of their own the attributes from lower layers: a layer that
 * only adds `tmp/x` must not change who may write to `/tmp`.
 */
export function inheritAttributes(upper: DirectoryNode, lower: DirectoryNode): void {
  if (!upper.explicit) upper.attributes = lower.attributes;
  if (upper.opaque) return;
  for (const [name, node] of upper.children) {
    const below = lower.children.get(name);
    if (node.kind === 'directory' && below?.kind === 'directory') inheritAttributes(node, below);
  }
}
