/**
 * Turns the host paths that a box binds into the shares of its microVM.
 *
 * @module
 */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import type { BoxSpec } from '@a3s-box/policies';
import { SHARED_FILE, type Share } from '../../engine/vm/devices.ts';
import { A3sError } from '../../errors.ts';
import { makeDirectories, makeDirectoriesUnlinked } from '../../make-directories.ts';
import { mountTable } from '../../networks/host/mount-table.ts';
import type { Bind } from '../record/box.ts';
import { bindTag } from '../spec/bind-tag.ts';
import { mountPoint } from '../spec/volumes.ts';

export interface BoundPaths {
  readonly shares: Share[];
  readonly mounts: BoxSpec['mounts'];
}

/** What the agent mounts in every box. */
const OWN_MOUNTS = ['/proc', '/sys', '/dev'];
/** A tmpfs of the box, which another mount may replace, as in a container. */
const REPLACEABLE = '/dev/shm';

/**
 * Checks where the mounts of a request appear in the box.
 *
 * @throws A3sError `invalid-argument` for two mounts at one place, and for a place where the box
 * has a mount of its own
 */
export function checkDestinations(mounts: readonly Pick<Bind, 'destination'>[]): void {
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    const target = mountPoint(posix.join('/', destination));
    if (seen.has(target)) {
      throw new A3sError('invalid-argument', `Duplicate mount point: ${destination}`);
    }
    seen.add(target);
    checkDestination(destination);
  }
}

/** @throws A3sError `invalid-argument` for a place where the box has a mount of its own */
export function checkDestination(destination: string): void {
  const target = mountPoint(posix.join('/', destination));
  if (target === '/') {
    throw new A3sError('invalid-argument', "invalid specification: destination can't be '/'");
  }
  const own = OWN_MOUNTS.find((each) => isAtOrBelow(target, each));
  if (own === undefined || isAtOrBelow(target, REPLACEABLE)) return;
  throw new A3sError(
    'invalid-argument',
    `Cannot mount at ${destination}: the box has its own ${own}`,
    { remedy: 'Choose another path in the box.' },
  );
}

function isAtOrBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/**
 * Records the real path of each bind's source. In the long form the source must exist, unless it is
 * to be made. Every start compares the source with that path. A start makes the directories that
 * are missing, below the part of the path that exists now.
 *
 * @throws A3sError `bind-source-missing`
 */
export async function recordSources(binds: readonly Bind[]): Promise<Bind[]> {
  return await Promise.all(
    binds.map(async (bind) => {
      const realPath = await placeOf(bind.source);
      if (bind.long?.createMountpoint === false && !(await exists(realPath))) {
        throw new A3sError(
          'invalid-argument',
          `invalid mount config for type "bind": bind source path does not exist: ${bind.source}`,
          { remedy: 'Make it first, or use -v, which makes a directory.' },
        );
      }
      return { ...bind, realPath };
    }),
  );
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function placeOf(source: string): Promise<string> {
  try {
    return await realpath(source);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    if (missing && dirname(source) !== source) {
      return join(await placeOf(dirname(source)), basename(source));
    }
    throw new A3sError('bind-source-missing', `Cannot bind ${source}: it cannot be looked up`, {
      cause,
    });
  }
}

/**
 * Turns binds into shares and mounts, at each start. Checks that each source still leads to its
 * recorded path, and makes a missing source a directory, as Docker's `-v` does; in the long form it
 * must exist.
 *
 * @throws A3sError `bind-source-missing`, `bind-source-changed`, `unsupported-option` for what
 * cannot be shared
 */
export async function bindPaths(binds: readonly Bind[]): Promise<BoundPaths> {
  const shares: Share[] = [];
  const mounts: BoxSpec['mounts'] = [];
  for (const [index, { source, destination, readonly, realPath, long }] of binds.entries()) {
    const tag = bindTag(index);
    // This check comes before anything is made: a link may lead to where its owner could not make a
    // directory.
    await checkPlace(source, realPath);
    const makes = long === undefined || long.createMountpoint;
    const kind = await ensureSource(source, realPath, makes);
    const file = kind === 'file' ? { file: SHARED_FILE } : {};
    await checkPlace(source, realPath);
    const path = realPath ?? source;
    if (long?.below !== undefined) expectNothingBelow(path, long.below);
    shares.push({ tag, path, readonly, ...(realPath === undefined ? {} : { resolved: true }) });
    mounts.push({ kind: 'virtiofs', tag, destination, readonly, ...file });
  }
  return { shares, mounts };
}

/**
 * A file server serves a source with all that is mounted below it, and under one access.
 *
 * @throws A3sError `unsupported-option`
 */
function expectNothingBelow(path: string, below: string): void {
  const inside = path === '/' ? path : `${path}/`;
  const found = mountTable().find((mount) => mount.path !== '/' && mount.path.startsWith(inside));
  if (found === undefined) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot mount ${path} with bind-recursive=${below}: something is mounted below it, at ${found.path}, and would be in the box as the source is`,
    { remedy: 'Unmount it, mount a directory without mounts, or leave bind-recursive out.' },
  );
}

/**
 * The owner of a source could have replaced it with a link to what only the user of this server may
 * read.
 */
async function checkPlace(source: string, realPath: string | undefined): Promise<void> {
  if (realPath === undefined) return;
  const place = await placeOf(source);
  if (place === realPath) return;
  throw new A3sError(
    'bind-source-changed',
    `Cannot bind ${source}: it leads to ${place} now, and led to ${realPath} when the box was created`,
    { remedy: 'Put back what was there, or create the box again.' },
  );
}

/** Follows no link below the recorded path, since others may put one there at any time. */
async function makeSource(source: string, realPath: string | undefined): Promise<void> {
  if (realPath === undefined) await makeDirectories(source, 0o777);
  else await makeDirectoriesUnlinked(realPath, 0o777);
}

/** @param makes whether a missing source becomes a directory */
async function ensureSource(
  source: string,
  realPath: string | undefined,
  makes: boolean,
): Promise<'file' | 'directory'> {
  const refused = makes
    ? await makeSource(source, realPath).catch((error: unknown) => ({ error }))
    : undefined;
  const kind = await stat(source).catch(() => undefined);
  if (kind?.isDirectory() === true) return 'directory';
  if (kind?.isFile() === true) return 'file';
  if (kind === undefined) {
    await checkPlace(source, realPath);
    throw new A3sError(
      'bind-source-missing',
      `Cannot bind ${source}: it does not exist${makes ? ', and cannot be made' : ''}`,
      { cause: refused?.error, remedy: 'Make the directory first.' },
    );
  }
  throw new A3sError(
    'unsupported-option',
    `Cannot bind ${source}: only directories and regular files can be shared with a box`,
  );
}
