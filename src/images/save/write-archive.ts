/**
 * Streams an archive: nothing is kept in memory but one chunk, and every blob is hashed while it is
 * read.
 *
 * @module
 */
import { stat } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import { Digester } from '../../oci/digest.ts';
import { blobPath } from '../archive/archive-files.ts';
import { streamFile } from '../content/staging.ts';
import { endOfArchive, entryHeader, padding } from '../tar/write-header.ts';
import { archiveBlobs, archiveDocuments } from './documents.ts';
import type { SavedBlob, SavedImage } from './saved-image.ts';

/**
 * @param pathOf where the bytes of a blob are on this host
 * @throws A3sError `invalid-image` at the first blob that is not what its digest says; the archive
 * is then unfinished
 */
export async function* writeArchive(
  images: readonly SavedImage[],
  pathOf: (blob: SavedBlob) => string,
): AsyncGenerator<Uint8Array> {
  for (const [path, bytes] of archiveDocuments(images)) {
    yield entryHeader(path, { type: 'file', size: bytes.length });
    yield bytes;
    yield padding(bytes.length);
  }
  for (const path of ['blobs/', 'blobs/sha256/']) yield entryHeader(path, { type: 'directory' });
  for (const blob of archiveBlobs(images)) {
    yield entryHeader(blobPath(blob.digest), { type: 'file', size: blob.size });
    yield* verified(blob, pathOf(blob));
    yield padding(blob.size);
  }
  yield endOfArchive();
}

/** Refuses blobs that are missing or have another size: a cheap check before the archive starts. */
export async function checkBlobs(
  images: readonly SavedImage[],
  pathOf: (blob: SavedBlob) => string,
): Promise<void> {
  for (const blob of archiveBlobs(images)) {
    const { size } = await stat(pathOf(blob)).catch((cause: unknown) => {
      throw damaged(blob, 'it is missing', cause);
    });
    if (size !== blob.size) throw damaged(blob, `it has ${size} bytes instead of ${blob.size}`);
  }
}

async function* verified(blob: SavedBlob, path: string): AsyncGenerator<Uint8Array> {
  const digester = new Digester();
  let size = 0;
  // The last chunk is sent only after the digest matched: a reader never gets all of a wrong blob.
  let held: Uint8Array | undefined;
  for await (const chunk of streamFile(path)) {
    size += chunk.length;
    if (size > blob.size) throw damaged(blob, `it has more than ${blob.size} bytes`);
    digester.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  const digest = digester.digest();
  if (digest !== blob.digest) throw damaged(blob, `its content has the digest ${digest}`);
  if (held !== undefined) yield held;
}

function damaged({ digest }: SavedBlob, reason: string, cause?: unknown): A3sError {
  return new A3sError('invalid-image', `Cannot save blob ${digest}: ${reason}`, {
    remedy: 'The store is damaged: remove the image, and load or pull it again.',
    cause,
  });
}
