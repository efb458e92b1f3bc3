/**
 * Reads files whose length nobody vouches for.
 *
 * @module
 */
import type { FileHandle } from 'node:fs/promises';

/** What the file has from its position on; undefined where that is more than `maxBytes`. */
export async function readBounded(file: FileHandle, maxBytes: number): Promise<Buffer | undefined> {
  // One byte more than the bound detects a longer file: the size from `stat` may have changed.
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
    length += bytesRead;
    if (length > maxBytes) return undefined;
    if (bytesRead === 0) return Buffer.from(buffer.subarray(0, length));
  }
}
