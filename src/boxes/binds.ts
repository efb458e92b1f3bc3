/**
 * From the host paths that a box binds to what its engine shares.
 *
 * @module
 */
import { stat } from 'node:fs/promises';
import { posix } from 'node:path';
import type { BoxSpec } from '@a3s-box/policies';
import { SHARED_FILE, type Share } from '../engine/engine.ts';
import { A3sError } from '../errors.ts';
import { makeDirectories } from '../make-directories.ts';
import type { Bind } from './box.ts';

export interface BoundPaths {
  readonly shares: Share[];
  readonly mounts: BoxSpec['mounts'];
}

/** What the agent mounts in every box. */
const OWN_MOUNTS = ['/proc', '/sys', '/dev'];
/** A tmpfs of the box, which a bind takes the place of, as in a container. */
const REPLACEABLE = '/dev/shm';

/**
 * Checks where the binds of a request appear in the box.
 *
 * @throws A3sError `invalid-argument` for two at one place, and for what the box has mounts of its own at
 */
export function checkDestinations(binds: readonly Bind[]): void {
  const seen = new Set<string>();
  for (const { destination } of binds) {
    const target = `/${posix.normalize(destination).replace(/^\/+|\/+$/g, '')}`;
    if (seen.has(target)) {
      throw new A3sError('invalid-argument', `Duplicate mount point: ${destination}`);
    }
    seen.add(target);
    const own = OWN_MOUNTS.find((each) => target === '/' || isAtOrBelow(target, each));
    if (own === undefined || isAtOrBelow(target, REPLACEABLE)) continue;
    throw new A3sError(
      'invalid-argument',
      `Cannot bind to ${destination}: the box has its own ${own}`,
      { remedy: 'Choose another path in the box.' },
    );
  }
}

function isAtOrBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/**
 * Makes a source that is missing a directory, as Docker's `-v` does.
 *
 * @throws A3sError `bind-source-missing`, `unsupported-option` for what cannot be shared
 */
export async function bindPaths(binds: readonly Bind[]): Promise<BoundPaths> {
  const shares: Share[] = [];
  const mounts: BoxSpec['mounts'] = [];
  for (const [index, { source, destination, readonly }] of binds.entries()) {
    const tag = `bind-${index}`;
    const file = (await ensureSource(source)) === 'file' ? { file: SHARED_FILE } : {};
    shares.push({ tag, path: source, readonly });
    mounts.push({ kind: 'virtiofs', tag, destination, readonly, ...file });
  }
  return { shares, mounts };
}

async function ensureSource(source: string): Promise<'file' | 'directory'> {
  const refused = await makeDirectories(source, 0o777).catch((error: unknown) => ({ error }));
  const kind = await stat(source).catch(() => undefined);
  if (kind?.isDirectory() === true) return 'directory';
  if (kind?.isFile() === true) return 'file';
  if (kind === undefined) {
    throw new A3sError(
      'bind-source-missing',
      `Cannot bind ${source}: it does not exist, and cannot be made`,
      { cause: refused?.error, remedy: 'Make the directory first.' },
    );
  }
  throw new A3sError(
    'unsupported-option',
    `Cannot bind ${source}: only directories and regular files can be shared with a box`,
  );
}
