/**
 * Finds a part of a volume. A guest may have put links and anything else into it, so no link leads
 * out of it, and none is followed that could: every step is looked up below the volume's root.
 *
 * @module
 */
import type { Stats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../errors.ts';

/** The kernel's own bound. */
const MAX_LINKS = 40;

export interface Part {
  /**
   * Without a link in it. Open it without following links: a guest may put one there at any time.
   */
  readonly path: string;
  readonly isFile: boolean;
}

/**
 * @param root the volume's directory, without a link in it
 * @param subpath relative, without `..` in the first place; undefined: the whole volume
 * @throws A3sError `bind-source-missing` where there is no such part; `invalid-argument` where it
 * is outside of the volume; `unsupported-option` for what cannot be shared with a box
 */
export async function partOf(root: string, subpath: string | undefined): Promise<Part> {
  if (subpath === undefined) return { path: root, isFile: false };
  const names: string[] = [];
  const pending = subpath.split('/');
  let links = 0;
  let found: Stats | undefined;
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (names.pop() === undefined) throw escapes(root, subpath);
      found = undefined;
      continue;
    }
    const path = join(root, ...names, name);
    found = await lookUp(path);
    if (!found.isSymbolicLink()) {
      names.push(name);
      continue;
    }
    const target = await readlink(path);
    links += 1;
    if (target.startsWith('/') || links > MAX_LINKS) throw escapes(root, subpath);
    pending.unshift(...target.split('/'));
    found = undefined;
  }
  const path = join(root, ...names);
  const kind = found ?? (await lookUp(path));
  if (kind.isDirectory() || kind.isFile()) return { path, isFile: kind.isFile() };
  throw new A3sError(
    'unsupported-option',
    `Cannot mount ${path}: only directories and regular files can be shared with a box`,
  );
}

async function lookUp(path: string): Promise<Stats> {
  try {
    return await lstat(path);
  } catch (cause) {
    throw new A3sError(
      'bind-source-missing',
      `cannot access path ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause, remedy: 'Make that directory in the volume first: mount all of it in another box.' },
    );
  }
}

function escapes(root: string, subpath: string): A3sError {
  return new A3sError(
    'invalid-argument',
    `path concatenation escapes the base directory, base: ${root}, subpath: ${subpath}`,
    { remedy: 'A link in the volume leads out of it: name the place itself.' },
  );
}
