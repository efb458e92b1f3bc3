/**
 * The directory that a guest fills from its image, beside the one that boxes mount. It becomes the
 * volume's by one rename, which the kernel refuses where that directory has files.
 *
 * @module
 */
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../durable.ts';
import { removeTree, syncFileSystem } from './directory.ts';
import { hasCode, notEmpty } from './place.ts';

const FILLING = '_fill';

/** A directory that a guest fills from its image, and that then becomes the volume's. */
export interface Fill {
  /**
   * Makes it the volume's. It outlasts a power cut when this returns. Called before a process of
   * the box runs.
   *
   * @throws A3sError `conflict` where somebody has put files into the volume meanwhile
   */
  done(): Promise<void>;
  /**
   * Removes what was copied, which may have filled the disk of the host. The guest must have ended.
   * Does nothing after `done`.
   *
   * @throws A3sError `state-unusable`; the next fill tries again
   */
  discard(): Promise<void>;
  /** Lets other starts mount the volume. The volume is as it was where `done` was not called. */
  release(): void;
}

/**
 * Makes the directory. No running box has what an interrupted fill has left there.
 *
 * @param data the directory that boxes mount
 */
export async function beginFill(
  name: string,
  data: string,
  { onDone, release }: { readonly onDone: () => void; readonly release: () => void },
): Promise<{ readonly path: string; readonly fill: Fill }> {
  const directory = dirname(data);
  const path = join(directory, FILLING);
  await removeTree(path);
  await mkdir(path, { mode: 0o755 });
  const done = async (): Promise<void> => {
    await syncFileSystem(path);
    await rename(path, data).catch((error: unknown) => {
      throw hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR') ? notEmpty(name, data, error) : error;
    });
    await syncDirectory(directory);
    onDone();
  };
  return { path, fill: { done, discard: () => removeTree(path), release } };
}
