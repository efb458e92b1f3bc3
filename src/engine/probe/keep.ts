/**
 * Keeps probe results about this host for the next server.
 *
 * @module
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a document to its own file, completely or not at all. */
export async function keep(path: string, document: object): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // One fixed temporary name: the next write replaces what a crash left.
  const temporary = `${path}.new`;
  await writeFile(temporary, JSON.stringify(document), { mode: 0o600 });
  await rename(temporary, path);
}
