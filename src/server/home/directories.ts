/**
 * The directories of a home and of its sockets.
 *
 * @module
 */
import { existsSync, readdirSync } from 'node:fs';
import { chmod, lstat, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../../config.ts';
import { A3sError } from '../../errors.ts';
import { makeDirectories } from '../../make-directories.ts';

/**
 * The home, which only its user can enter: VMs get their files in it as open descriptors.
 *
 * @throws A3sError `state-unusable` for a directory that others could have put there
 */
export async function prepareHome(config: Config, uid: number): Promise<void> {
  for (const path of [config.home, join(config.home, 'boxes')]) await ensure(path, 0o700, uid);
}

/**
 * Refuses a home that has boxes, images or volumes and no records: the records were lost or moved
 * away. A server that started without them would delete all of it as leftovers.
 *
 * @throws A3sError `state-unusable`
 */
export function refuseOrphans(config: Config): void {
  const { home } = config;
  const boxes = holdsAny(join(home, 'boxes'));
  const images = ['blobs', 'erofs'].some((name) => holdsFiles(join(home, 'images', name)));
  const volumes = holdsAny(join(home, 'volumes'));
  const held = Object.entries({ boxes, images, volumes }).flatMap(([what, there]) =>
    there ? [what] : [],
  );
  if (held.length === 0) return;
  const what = held.join(' and ');
  throw new A3sError(
    'state-unusable',
    `Cannot use ${home}: it holds ${what}, and ${join(home, 'state.db')} has no record of them`,
    {
      remedy:
        'Put state.db back together with its -wal file, or move the whole directory aside to start empty.',
    },
  );
}

function holdsAny(path: string): boolean {
  return existsSync(path) && readdirSync(path).length > 0;
}

function holdsFiles(path: string): boolean {
  if (!existsSync(path)) return false;
  return readdirSync(path, { recursive: true, withFileTypes: true }).some((entry) =>
    entry.isFile(),
  );
}

/**
 * VMs of root's boxes run as other users, who pass through this directory to their sockets. None of
 * them can list it.
 */
function socketsMode(uid: number): number {
  return uid === 0 ? 0o711 : 0o700;
}

/**
 * Makes the directory of sockets. The caller holds the home's lock, since the previous server
 * removes the directory.
 *
 * @returns whether there was none: the host has started since, or the last server ended in order
 * while no box ran
 * @throws A3sError `state-unusable`, as above: its parent may be one where every user can make
 * directories
 */
export async function prepareRuntimeDir(config: Config, uid: number): Promise<boolean> {
  const isNew = !existsSync(config.runtimeDir);
  for (const path of [dirname(config.runtimeDir), config.runtimeDir]) {
    await ensure(path, socketsMode(uid), uid);
  }
  return isNew;
}

/** Removes the directory of sockets, unless a running box has some in it. */
export async function leaveRuntimeDir(config: Config): Promise<void> {
  try {
    await rmdir(config.runtimeDir);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT') throw error;
  }
}

async function ensure(path: string, mode: number, uid: number): Promise<void> {
  try {
    await makeDirectories(path, mode);
    const found = await lstat(path);
    if (!found.isDirectory()) throw notOurs(path, 'it is not a directory');
    if (found.uid !== uid) throw notOurs(path, `it belongs to user ${found.uid}`);
    await chmod(path, mode);
  } catch (cause) {
    if (cause instanceof A3sError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError('state-unusable', `Cannot use ${path}: ${reason}`, { cause });
  }
}

function notOurs(path: string, reason: string): A3sError {
  return new A3sError('state-unusable', `Cannot use ${path}: ${reason}`, {
    remedy: 'Remove it, or choose another A3S_HOME or XDG_RUNTIME_DIR.',
  });
}
