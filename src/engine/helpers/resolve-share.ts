/**
 * Finds what a share leads to, and holds it where no link may come into its path.
 *
 * @module
 */
import { type FileHandle, realpath, stat } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import { SHARED_FILE, type Share } from '../vm/devices.ts';
import { openWithoutLinks } from './open-without-links.ts';

/** What is shared. */
export interface ResolvedShare {
  readonly source: string;
  /** The name that a regular file has in the directory that the guest sees. */
  readonly name: string | undefined;
  /**
   * A descriptor of it. It is still the one that was checked when somebody has put a link in its
   * path.
   */
  readonly held?: FileHandle;
}

/** @throws A3sError `bind-source-missing`, `bind-source-changed` */
export async function resolveShare({ path, resolved }: Share): Promise<ResolvedShare> {
  let held: FileHandle | undefined;
  try {
    const source = await realpath(path);
    if (resolved === true) {
      if (source !== path) throw changed(path, source);
      held = await openWithoutLinks(path);
    }
    const found = await (held?.stat() ?? stat(source));
    const kept = held === undefined ? {} : { held };
    if (found.isDirectory()) return { source, name: undefined, ...kept };
    if (found.isFile()) return { source, name: SHARED_FILE, ...kept };
  } catch (error) {
    await held?.close();
    if (error instanceof A3sError) throw error;
    throw new A3sError('bind-source-missing', `Cannot mount ${path}: it does not exist`, {
      remedy: 'Create it first.',
      cause: error,
    });
  }
  await held?.close();
  throw new A3sError('bind-source-missing', `Cannot mount ${path}: neither directory nor file`);
}

function changed(path: string, place: string): A3sError {
  return new A3sError(
    'bind-source-changed',
    `Cannot mount ${path}: it leads to ${place} now, through a link that was not there before`,
    { remedy: 'Remove the link, or create the box again.' },
  );
}
