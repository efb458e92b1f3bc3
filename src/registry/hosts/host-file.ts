/**
 * Reads an administrator's files about registries.
 *
 * @module
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { readBounded } from '../../read-bounded.ts';

/**
 * The content of a regular file, or undefined where no file has that name.
 *
 * @throws Error whose message says why the file cannot be used; `cause` is the system's own error
 */
export async function readHostFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw new Error('it is not a regular file');
      const bytes = await readBounded(file, maxBytes);
      if (bytes === undefined) throw new Error(`it has more than ${maxBytes} bytes`);
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw code === undefined ? error : new Error(`it cannot be read (${code})`, { cause: error });
  }
}
