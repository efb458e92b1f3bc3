/**
 * Signatures and attestations that an OCI layout holds beside its images: at cosign's tags, as `cosign save` writes them,
 * or by a manifest's `subject`.
 *
 * Nothing is verified here but digests and sizes. They belong to the images and indexes of the same archive; those of
 * others are left out.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { type Digest, isDigest } from '../digest.ts';
import { parseDocument } from '../json.ts';
import type { Limits } from '../limits.ts';
import { type Descriptor, isManifest } from '../manifest.ts';
import type { StagedFile } from '../staging.ts';
import type { ArchiveFiles } from './archive-files.ts';
import { type ArchivedAttachment, readDocument, requireBlob } from './image-plan.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const COSIGN_TAG = /^sha256-([0-9a-f]{64})\.(?:sig|att|sbom)$/;
/** What `cosign save` writes: one image, and what is attached to it, told apart by `kind`. */
const COSIGN_IMAGES = ['dev.cosignproject.cosign/image', 'dev.cosignproject.cosign/imageIndex'];
const COSIGN_ATTACHED = ['dev.cosignproject.cosign/sigs', 'dev.cosignproject.cosign/atts'];

const MiB = 1024 * 1024;
/** Of all images of an archive; each image has its own bound, which is the store's. */
const MAX_ATTACHMENTS = 1024;
const MAX_BLOBS = 256;
const MAX_BLOB_BYTES = 16 * MiB;

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), {
  error: 'must be sha256: and 64 hexadecimal digits',
});
const Referrer = z.looseObject({ subject: z.looseObject({ digest }).nullish() });
const Artifact = z.looseObject({
  layers: z
    .array(z.looseObject({ digest, size: z.int().min(0).max(MAX_BLOB_BYTES) }))
    .max(MAX_BLOBS)
    .nullish(),
});

export interface SplitLayout {
  /** What may be images. */
  readonly images: readonly Descriptor[];
  readonly attachments: readonly ArchivedAttachment[];
}

/** Tells the entries of a layout's index apart. @throws A3sError `invalid-image`, `too-large` */
export async function splitLayout(
  entries: readonly Descriptor[],
  files: ArchiveFiles,
  limits: Limits,
): Promise<SplitLayout> {
  const images: Descriptor[] = [];
  const attachments: ArchivedAttachment[] = [];
  const [saved, ...others] = entries.filter((entry) => isOfKind(entry, COSIGN_IMAGES));
  const savedImage = others.length === 0 ? saved?.digest : undefined;
  for (const entry of entries) {
    const found = subjectByName(entry, savedImage);
    const attachment = await readAttachment(entry, found, files, limits);
    if (attachment === undefined) images.push(entry);
    else attachments.push(attachment);
    if (attachments.length > MAX_ATTACHMENTS) {
      throw new A3sError(
        'too-large',
        `Cannot read ${files.what}: it holds more than ${MAX_ATTACHMENTS} signatures`,
      );
    }
  }
  return { images, attachments };
}

function isOfKind({ annotations }: Descriptor, kinds: readonly string[]): boolean {
  return kinds.includes(annotations?.['kind'] ?? '');
}

/** What an entry is attached to, by what the index says of it. */
function subjectByName(entry: Descriptor, savedImage: Digest | undefined): Digest | undefined {
  if (isOfKind(entry, COSIGN_ATTACHED)) return savedImage;
  const tagged = COSIGN_TAG.exec(entry.annotations?.[REF_NAME] ?? '')?.[1];
  return tagged === undefined ? undefined : `sha256:${tagged}`;
}

/** Undefined for what is no attachment. */
async function readAttachment(
  entry: Descriptor,
  named: Digest | undefined,
  files: ArchiveFiles,
  limits: Limits,
): Promise<ArchivedAttachment | undefined> {
  if (!isManifest(entry)) return undefined;
  // What has a name or is meant for a platform is an image, whatever else it refers to.
  const isImage = entry.annotations?.[REF_NAME] !== undefined || entry.platform;
  if (named === undefined && isImage) return undefined;
  const manifest = await requireBlob(files, entry);
  const what = `manifest ${entry.digest}`;
  const bytes = await readDocument(manifest, what, limits);
  const subject = named ?? parseDocument(bytes, Referrer, what).subject?.digest;
  if (subject === undefined) return undefined;
  const blobs: StagedFile[] = [];
  for (const layer of parseDocument(bytes, Artifact, what).layers ?? []) {
    blobs.push(await requireBlob(files, layer));
  }
  return {
    record: {
      subject,
      digest: entry.digest,
      attachedBy: named === undefined ? 'referrer' : 'tag',
      mediaType: entry.mediaType,
      size: manifest.size,
      blobs: blobs.map(({ digest, size }) => ({ digest, size })),
    },
    files: [manifest, ...blobs],
  };
}
