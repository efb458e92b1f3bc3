/**
 * What is attached to images, as it lies in the store: one row for each artifact, its bytes as
 * blobs. They are compared with their digests whenever they are read. The trust module verifies who
 * signed them.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import { corrupt } from '../../oci/corrupt.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import type { AttachmentRecord } from '../catalog/catalog.ts';
import { noSuchImage } from '../catalog/resolve.ts';
import { commitAttachments, type StagedAttachments } from '../commit.ts';
import { type StagedFile, Staging } from '../content/staging.ts';
import { MAX_ATTACHMENTS } from '../limits.ts';
import type { StoreParts } from '../store-parts.ts';
import type { Attachment } from './attachment.ts';

const MiB = 1024 * 1024;
/** Of one image. */
const MAX_BYTES = 64 * MiB;

/** @throws A3sError `no-such-image`, `invalid-image`, `too-large` */
export async function attach(
  parts: StoreParts,
  subjects: readonly Digest[],
  attachments: readonly Attachment[],
): Promise<void> {
  const staging = await Staging.create(parts.staging);
  try {
    const staged = await stageAttachments(staging, subjects, attachments);
    await commitAttachments(parts, staged, () => {
      const { catalog } = parts;
      for (const subject of subjects) {
        const found = catalog.byManifest(subject) ?? catalog.byIndex(subject);
        if (found === undefined) throw noSuchImage(subject);
      }
    });
  } finally {
    await staging.remove();
  }
}

/** Checks and writes what is to be attached. */
export async function stageAttachments(
  staging: Staging,
  subjects: readonly Digest[],
  attachments: readonly Attachment[],
): Promise<StagedAttachments> {
  checkBounds(
    attachments.length,
    attachments.flatMap(({ manifest, blobs }) =>
      [manifest, ...blobs.values()].map(({ length }) => length),
    ),
  );
  const files = new Map<Digest, StagedFile>();
  const stage = async (digest: Digest, bytes: Buffer, what: string): Promise<void> => {
    if (digestOf(bytes) !== digest) throw corrupt(what, `its content has another digest`);
    if (!files.has(digest)) files.set(digest, await staging.addBytes(bytes));
  };
  const records: AttachmentRecord[] = [];
  for (const { subject, digest, attachedBy, mediaType, manifest, blobs } of attachments) {
    const what = `artifact ${digest}`;
    if (!subjects.includes(subject)) throw corrupt(what, `it is attached to ${subject}`);
    await stage(digest, manifest, what);
    for (const [blob, bytes] of blobs) await stage(blob, bytes, `blob ${blob} of ${what}`);
    records.push({
      subject,
      digest,
      attachedBy,
      mediaType,
      size: manifest.length,
      blobs: [...blobs].map(([blob, bytes]) => ({ digest: blob, size: bytes.length })),
    });
  }
  return { subjects, records, files: [...files.values()] };
}

/** @throws A3sError `too-large` for more attachments than one image may have */
export function checkBounds(count: number, sizes: readonly number[]): void {
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (count <= MAX_ATTACHMENTS && bytes <= MAX_BYTES) return;
  throw new A3sError(
    'too-large',
    `Cannot keep what is attached to the image: ${count} artifacts of ${bytes} bytes, and ${MAX_ATTACHMENTS} of ${MAX_BYTES} bytes together are allowed`,
  );
}

/** @throws A3sError `invalid-image` where a stored byte was changed or is missing */
export async function readAttachments(
  { lock, catalog, blobs }: StoreParts,
  subjects: readonly Digest[],
): Promise<readonly Attachment[]> {
  const read = async (digest: Digest, size: number): Promise<Buffer> => {
    const bytes = await readBlob(blobs.path(digest), size);
    if (bytes !== undefined && digestOf(bytes) === digest) return bytes;
    const error = corrupt(
      `the stored signature ${digest}`,
      bytes === undefined ? 'it is not on disk' : 'it was changed on disk',
    );
    throw new A3sError(error.code, error.message, { remedy: 'Pull the image again.' });
  };
  return await lock.run(async () => {
    const found: Attachment[] = [];
    for (const record of new Set(subjects).values()) {
      for (const { size, blobs: parts, ...rest } of catalog.attachmentsOf(record)) {
        const contents = new Map<Digest, Buffer>();
        for (const part of parts) contents.set(part.digest, await read(part.digest, part.size));
        found.push({ ...rest, manifest: await read(rest.digest, size), blobs: contents });
      }
    }
    return found;
  });
}

/** The file; undefined where it is missing or has the wrong size. */
async function readBlob(path: string, size: number): Promise<Buffer | undefined> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const { size: found } = await file.stat();
    return found === size ? await file.readFile() : Buffer.alloc(0);
  } finally {
    await file.close();
  }
}
