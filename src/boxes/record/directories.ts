/**
 * The directories of a box: the one that it keeps, and the one of its microVM.
 *
 * @module
 */
import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import type { JailIdentity } from '../../jail/jail.ts';

/** The directory of a box's disk and output. */
export function boxDirectory({ home }: { readonly home: string }, id: string): string {
  return join(home, 'boxes', id);
}

/** The directory of a running box's sockets. It is short, since socket paths are bounded. */
export function runtimeDirectory(
  { runtimeDir }: { readonly runtimeDir: string },
  id: string,
): string {
  return join(runtimeDir, id.slice(0, 12));
}

/** Makes the directory anew, for its user alone. */
export async function makeRuntimeDirectory(path: string, identity: JailIdentity): Promise<void> {
  await rm(path, { recursive: true, force: true });
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (cause) {
    throw new A3sError('state-unusable', `Cannot make ${path}`, { cause });
  }
  await chmod(path, 0o700);
  if (process.geteuid?.() === 0) await chown(path, identity.uid, identity.gid);
}
