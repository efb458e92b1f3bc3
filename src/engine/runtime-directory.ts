/**
 * The runtime directory of a VM.
 *
 * @module
 */
import { chmod, chown } from 'node:fs/promises';
import { A3sError } from '../errors.ts';
import type { JailIdentity } from '../jail/jail.ts';

/** Longest path of a unix socket that Linux takes. */
const SOCKET_PATH_BYTES = 107;
/** The longest name in the directory, and the path that passt sees before it. */
const LONGEST_NAME = '/tmp/passt.sock';

/**
 * Gives the directory to the box's user alone.
 *
 * @throws A3sError `state-unusable` when sockets in it would have too long a path
 */
export async function prepareDirectory(path: string, identity: JailIdentity): Promise<void> {
  if (Buffer.byteLength(path + LONGEST_NAME) > SOCKET_PATH_BYTES) {
    throw new A3sError('state-unusable', `Cannot put sockets into ${path}: the path is too long`, {
      remedy: 'Set XDG_RUNTIME_DIR to a directory with a shorter path.',
    });
  }
  if (process.geteuid?.() === 0) await chown(path, identity.uid, identity.gid);
  await chmod(path, 0o700);
}
