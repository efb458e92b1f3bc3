/**
 * `--cidfile`: a file that holds the id of the box. It does not exist where no box was made.
 *
 * @module
 */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { UsageError } from '../usage-error.ts';

/**
 * Runs `make` with the file reserved, and writes the result.
 *
 * @param path absolute; undefined where no file is wanted
 * @throws UsageError for a file that exists, or cannot be made; then nothing was requested
 */
export async function withCidFile<T extends { readonly id: string }>(
  path: string | undefined,
  make: () => Promise<T>,
): Promise<T> {
  if (path === undefined) return make();
  const file = reserve(path);
  let written = false;
  try {
    const made = await make();
    writeSync(file, made.id);
    written = true;
    return made;
  } finally {
    closeSync(file);
    if (!written) unlinkSync(path);
  }
}

function reserve(path: string): number {
  try {
    return openSync(path, 'wx', 0o644);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'EEXIST') {
      throw new UsageError(
        `box ID file found, make sure the other box isn't running or delete ${path}`,
      );
    }
    throw new UsageError(`failed to create the box ID file ${path}: ${code}`);
  }
}
