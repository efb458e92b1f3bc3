/**
 * What was found out about this host, kept for the next server.
 *
 * @module
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Puts a document into a file of its own, whole or not at all. */
export async function keep(path: string, document: object): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // One name: what a crash leaves is written over.
  const temporary = `${path}.new`;
  await writeFile(temporary, JSON.stringify(document), { mode: 0o600 });
  await rename(temporary, path);
}
