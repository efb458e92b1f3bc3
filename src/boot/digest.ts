/**
 * SHA-256 of bytes, of files and of source trees.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** 64 lower-case hexadecimal digits. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}

/**
 * Over the names and contents of every file that goes into what is built of a directory; prose and
 * Go's tests do not.
 */
export async function sourceDigest(directory: string): Promise<string> {
  const lines: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = relative(directory, join(entry.parentPath, entry.name));
    if (!entry.isFile() || /_test\.go$|\.md$/.test(entry.name)) continue;
    if (path.split('/').some((part) => part.startsWith('.') || part === 'testdata')) continue;
    lines.push(`${path}\0${sha256(await readFile(join(directory, path)))}\n`);
  }
  return sha256(lines.sort().join(''));
}
