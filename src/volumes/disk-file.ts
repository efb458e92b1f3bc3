/**
 * The file of a volume that is a disk: sparse, so only what boxes write takes room.
 *
 * @module
 */
import { open, rm } from 'node:fs/promises';
import { renameDurably } from '../durable.ts';

/** Makes the whole file, or nothing. It outlasts a power cut when this returns. */
export async function makeDiskFile(
  path: string,
  bytes: number,
  makeDisk: (path: string, bytes: number) => Promise<void>,
): Promise<void> {
  const partial = `${path}.new`;
  await rm(partial, { force: true });
  try {
    await makeDisk(partial, bytes);
    const file = await open(partial, 'r+');
    try {
      await file.chmod(0o600);
      await file.sync();
    } finally {
      await file.close();
    }
    await renameDurably(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
