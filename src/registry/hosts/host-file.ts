/**
 * Reads an administrator's files about registries.
 *
 * @module
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

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
      // Reads one byte more than the bound, to detect a longer file: the size may grow meanwhile.
      const buffer = Buffer.alloc(maxBytes + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
        length += bytesRead;
        if (length > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
        if (bytesRead === 0) return buffer.subarray(0, length);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw code === undefined ? error : new Error(`it cannot be read (${code})`, { cause: error });
  }
}
