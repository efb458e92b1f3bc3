/**
 * The paths of `cp`, by Docker's rules.
 *
 * Names of files are bytes. Here each byte is one character of its code, as in tar archives.
 *
 * @module
 */
import { posix, resolve } from 'node:path';
import { UsageError } from '../usage-error.ts';

/** `BOX:PATH`, or a path of this host. A local path with a colon begins with `/` or `.`. */
export function splitOperand(operand: string): { readonly box: string; readonly path: string } {
  const colon = operand.indexOf(':');
  if (colon < 0 || operand.startsWith('/') || operand.startsWith('.')) {
    return { box: '', path: operand };
  }
  return { box: operand.slice(0, colon), path: operand.slice(colon + 1) };
}

/** The absolute path; a `/` or `/.` at its end stays, since it says that a directory is meant. */
export function localPath(cwd: string, path: string): string {
  const absolute = resolve(cwd, path);
  const ended = absolute.endsWith('/') ? absolute : `${absolute}/`;
  if (namesCurrent(path)) return `${ended}.`;
  return path.endsWith('/') ? ended : absolute;
}

/**
 * The path from the root of a box, as the server resolves it. Its last name is one that a file can
 * have.
 *
 * An empty path is left to the server, which refuses it.
 */
export function boxPath(path: string): string {
  return path === '' ? '' : localPath('/', path);
}

/** Whether the last component is `.`. */
export function namesCurrent(path: string): boolean {
  return posix.basename(path) === '.' && !path.endsWith('/');
}

/** Whether the path can only name a directory. */
export function assertsDirectory(path: string): boolean {
  return path.endsWith('/') || namesCurrent(path);
}

/**
 * The directory and the last name of a path. The name is `.` for a path that ends in `/.`, and `/`
 * for the root.
 */
export function splitPath(path: string): { readonly directory: string; readonly name: string } {
  const clean = posix.normalize(path).replace(/(?<=.)\/$/, '');
  if (namesCurrent(path)) return { directory: clean, name: '.' };
  return { directory: posix.dirname(clean), name: posix.basename(clean) || '/' };
}

/** What one side of a copy is. */
export interface Side {
  readonly path: string;
  readonly exists: boolean;
  readonly isDirectory: boolean;
}

/** Where an archive is extracted to, and what its first entry is called there. */
export interface Placement {
  readonly directory: string;
  readonly name: string;
}

/**
 * Where a copy goes. Throws what Docker says where it cannot go anywhere.
 *
 * @param name of the source's first entry
 */
export function placeCopy(source: Side & { readonly name: string }, destination: Side): Placement {
  const placement = placementOf(source, destination);
  if (placement.name === '..') throw refused('cannot copy to the name ".."');
  return placement;
}

function placementOf(source: Side & { readonly name: string }, destination: Side): Placement {
  if (destination.exists && destination.isDirectory) {
    return { directory: destination.path, name: source.name };
  }
  if (destination.exists && source.isDirectory) throw refused('cannot copy directory');
  if (!source.isDirectory && assertsDirectory(destination.path)) {
    throw refused(destination.exists ? 'not a directory' : 'no such directory');
  }
  return splitPath(destination.path);
}

function refused(why: string): UsageError {
  return new UsageError(why, { status: 1 });
}
