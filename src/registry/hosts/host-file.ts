/**
 * Files that an administrator has written about registries.
 *
 * @module
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * The content of a regular file, or undefined where nothing of that name is.
 *
 * @throws Error that says in its message why it cannot be used; `cause` is the system's own
 */
export async function readHostFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    // Without waiting for whoever writes into a FIFO.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw new Error('it is not a regular file');
      // One more, to see that there is more: the size may grow while it is read.
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
