/**
 * Signatures and attestations that an OCI layout holds beside its images: at cosign's tags, as
 * `cosign save` writes them, or by a manifest's `subject`.
 *
 * Nothing is verified here but digests and sizes. They belong to the images and indexes of the same
 * archive; those of others are left out.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { type Descriptor, isManifest } from '../../oci/manifest.ts';
import { type ArtifactLayers, artifactLayers } from '../attachments/artifact-layers.ts';
import type { StagedFile } from '../content/staging.ts';
import type { Limits } from '../limits.ts';
import { type ArchiveFiles, blobPath } from './archive-files.ts';
import { type ArchivedAttachment, readDocument, requireBlob } from './image-plan.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const COSIGN_TAG = /^sha256-([0-9a-f]{64})\.(?:sig|att|sbom)$/;
/** What `cosign save` writes: one image, and what is attached to it, distinguished by `kind`. */
const COSIGN_IMAGES = ['dev.cosignproject.cosign/image', 'dev.cosignproject.cosign/imageIndex'];
const COSIGN_ATTACHED = ['dev.cosignproject.cosign/sigs', 'dev.cosignproject.cosign/atts'];

const MiB = 1024 * 1024;
/** Of all images of an archive; each image has its own bound, which is the store's. */
const MAX_ATTACHMENTS = 1024;
const MAX_BLOB_BYTES = 16 * MiB;

export interface SplitLayout {
  /** What may be images. */
  readonly images: readonly Descriptor[];
  readonly attachments: readonly ArchivedAttachment[];
}

/**
 * Separates the entries of a layout's index into images and attachments.
 *
 * @throws A3sError `invalid-image`, `too-large`
 */
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

/** What an entry is attached to, according to the index. */
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
  // What has a name or is meant for a platform is an image, whatever else it refers to.
  const mayRefer = isManifest(entry) && !entry.annotations?.[REF_NAME] && !entry.platform;
  if (named === undefined && !mayRefer) return undefined;
  const manifest = await requireBlob(files, entry);
  const bytes = await readDocument(manifest, `manifest ${entry.digest}`, limits);
  const artifact = artifactLayers(bytes);
  const subject = named ?? artifact?.subject;
  if (subject === undefined) return undefined;
  const blobs = await payloadsOf(artifact, files);
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

/** The artifacts whose payloads exist: a statement without a payload has no effect. */
async function payloadsOf(
  artifact: ArtifactLayers | undefined,
  files: ArchiveFiles,
): Promise<readonly StagedFile[]> {
  const found = new Map<Digest, StagedFile>();
  for (const layer of artifact?.layers ?? []) {
    if (layer.size > MAX_BLOB_BYTES) {
      throw new A3sError(
        'too-large',
        `Cannot read ${files.what}: a signature has ${layer.size} bytes, and ${MAX_BLOB_BYTES} are allowed`,
      );
    }
    if ((await files.file(blobPath(layer.digest))) === undefined) continue;
    found.set(layer.digest, await requireBlob(files, layer));
  }
  return [...found.values()];
}
