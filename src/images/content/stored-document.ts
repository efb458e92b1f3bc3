/**
 * Documents of the content store, read back.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import type { StoreParts } from '../store-parts.ts';

/** @throws A3sError `invalid-image` when it is missing, too large, or not what was stored */
export async function readStoredDocument(
  digest: Digest,
  { blobs, limits }: Pick<StoreParts, 'blobs' | 'limits'>,
): Promise<Buffer> {
  const file = await open(blobs.path(digest)).catch((cause: unknown) => {
    throw damaged(digest, 'it is missing', cause);
  });
  try {
    const { size } = await file.stat();
    if (size > limits.documentBytes) throw damaged(digest, `it has ${size} bytes`);
    const bytes = await file.readFile();
    const found = digestOf(bytes);
    if (found !== digest) throw damaged(digest, `its content has the digest ${found}`);
    return bytes;
  } finally {
    await file.close();
  }
}

function damaged(digest: Digest, reason: string, cause?: unknown): A3sError {
  return new A3sError('invalid-image', `Cannot read ${digest} in the store: ${reason}`, {
    remedy: 'Remove the image, and load or pull it again.',
    cause,
  });
}
