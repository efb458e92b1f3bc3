/**
 * Digests of files that seldom change.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Reads each file once, and again when the file was replaced or written to. */
export class FileDigests {
  readonly #known = new Map<string, { stamp: string; digest: Promise<string> }>();

  /** @returns SHA-256 in lower-case hexadecimal digits; undefined where there is no such file */
  async of(path: string): Promise<string | undefined> {
    const file = await open(path, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (file === undefined) return undefined;
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
      const stamp = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
      const known = this.#known.get(path);
      if (known?.stamp === stamp) return await known.digest;
      const digest = hash(file.createReadStream({ autoClose: false }));
      this.#known.set(path, { stamp, digest });
      return await digest.catch((error: unknown) => {
        this.#known.delete(path);
        throw error;
      });
    } finally {
      await file.close();
    }
  }
}

async function hash(bytes: AsyncIterable<Buffer>): Promise<string> {
  const sum = createHash('sha256');
  for await (const chunk of bytes) sum.update(chunk);
  return sum.digest('hex');
}
