/**
 * Entries of a layer whose names lead through a symbolic link of a lower layer: `lib/x`, where
 * `lib` is `usr/lib` below.
 *
 * They mean the file that the link leads to, as when one layer after another is unpacked into one
 * root (umoci and containerd do so); a directory of its own would hide the link and all that lies
 * behind it. Links are followed within the tree: none leads out of it. A layer that has an entry
 * for the directory itself means that directory.
 *
 * @module
 */
import { corrupt, printable } from '../../oci/corrupt.ts';
import { type DirectoryNode, implicitDirectory, type Node } from '../tree/tree.ts';

/** The number of links that Linux follows in one path. */
const MAX_LINKS = 40;

/**
 * Moves such entries of `upper` to where they belong. Nothing lies below `lower`.
 *
 * @throws A3sError `invalid-image` for links without end, and where two entries then have one name
 */
export function followLinks(upper: DirectoryNode, lower: DirectoryNode, what: string): void {
  // A moved entry may lie below another link.
  for (let round = 0; ; round += 1) {
    const crossing = takeCrossing(upper, lower);
    if (crossing.length === 0) return;
    if (round === MAX_LINKS) throw endless(crossing[0]?.path ?? [], what);
    for (const { path, node } of crossing) {
      const target = resolve(path, lower, what);
      merge(directoryAt(upper, target, what), node, target, what);
    }
  }
}

interface Crossing {
  readonly path: readonly string[];
  readonly node: DirectoryNode;
}

/** Cuts out every directory without an entry that has the name of a link below. */
function takeCrossing(upper: DirectoryNode, lower: DirectoryNode): readonly Crossing[] {
  const found: Crossing[] = [];
  const visit = (directory: DirectoryNode, below: DirectoryNode, path: readonly string[]): void => {
    if (directory.opaque) return;
    for (const [name, node] of [...directory.children]) {
      if (node.kind !== 'directory') continue;
      const under = below.children.get(name);
      if (under?.kind === 'directory') visit(node, under, [...path, name]);
      if (under?.kind !== 'symlink' || node.explicit) continue;
      directory.children.delete(name);
      found.push({ path: [...path, name], node });
    }
  };
  visit(upper, lower, []);
  return found;
}

/** Resolves a path. Missing parts count as directories, since they become directories. */
function resolve(path: readonly string[], lower: DirectoryNode, what: string): readonly string[] {
  const done: string[] = [];
  const pending = [...path];
  let links = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const node = nodeAt(lower, [...done, part]);
    if (node?.kind !== 'symlink') {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) throw endless(path, what);
    if (node.target.startsWith('/')) done.length = 0;
    pending.unshift(...node.target.split('/'));
  }
  return done;
}

function nodeAt(root: DirectoryNode, path: readonly string[]): Node | undefined {
  let node: Node | undefined = root;
  for (const part of path) node = node?.kind === 'directory' ? node.children.get(part) : undefined;
  return node;
}

function directoryAt(root: DirectoryNode, path: readonly string[], what: string): DirectoryNode {
  let directory = root;
  for (const part of path) {
    let child = directory.children.get(part) ?? implicitDirectory();
    // Whiteouts refer to the layers below, not to entries of the layer itself.
    if (child.kind === 'whiteout') child = { ...implicitDirectory(), opaque: true };
    if (child.kind !== 'directory') throw twoOfOneName(path, what);
    directory.children.set(part, child);
    directory = child;
  }
  return directory;
}

function merge(
  into: DirectoryNode,
  from: DirectoryNode,
  path: readonly string[],
  what: string,
): void {
  if (from.opaque) into.opaque = true;
  if (from.explicit && !into.explicit) {
    into.attributes = from.attributes;
    into.explicit = true;
  }
  for (const [name, node] of from.children) {
    const there = into.children.get(name);
    if (there === undefined) {
      into.children.set(name, node);
    } else if (there.kind === 'whiteout' || node.kind === 'whiteout') {
      const own = there.kind === 'whiteout' ? node : there;
      if (own.kind === 'directory') own.opaque = true;
      into.children.set(name, own);
    } else if (there.kind === 'directory' && node.kind === 'directory') {
      merge(there, node, [...path, name], what);
    } else {
      throw twoOfOneName([...path, name], what);
    }
  }
}

function endless(path: readonly string[], what: string): Error {
  return corrupt(what, `${printable(path.join('/'))} leads through links without end`);
}

function twoOfOneName(path: readonly string[], what: string): Error {
  return corrupt(
    what,
    `${printable(path.join('/'))} is there twice: by its name, and through a link of a lower layer`,
  );
}
