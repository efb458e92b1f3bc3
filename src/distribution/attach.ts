/**
 * Attaches signatures and attestations to an image, in its registry and in the store.
 *
 * @module
 */

import { Semaphore } from '../async/semaphore.ts';
import type { Attachment } from '../images/attachments/attachment.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { OCI_MANIFEST } from '../oci/media-types.ts';
import type { Repository } from '../registry/registry.ts';
import {
  type Artifact,
  type AttachmentKind,
  attachmentTag,
  isArtifactOf,
  type PayloadLayer,
  withLayers,
} from './attachment-artifact.ts';
import { putBytes } from './put-bytes.ts';

/** A signature or an attestation to attach to an image. */
export interface Addition {
  /** The image's manifest, or an index that lists it. */
  readonly subject: Digest;
  readonly kind: AttachmentKind;
  readonly layers: readonly PayloadLayer[];
}

/** The parts of the store that this module uses. */
interface AttachmentStore {
  attach(subjects: readonly Digest[], attachments: readonly Attachment[]): Promise<void>;
  attachments(subjects: readonly Digest[]): Promise<readonly Attachment[]>;
}

/**
 * Adds layers to the artifact at cosign's tag. The existing layers stay, as with cosign. Two
 * clients that add layers at once can lose each other's, since a registry cannot change a tag
 * conditionally.
 *
 * @returns digest of the artifact's manifest
 * @throws A3sError `registry-…`; `invalid-image` when something else has that tag
 */
export async function pushAttachment(repository: Repository, addition: Addition): Promise<Digest> {
  const { subject, kind, layers } = addition;
  const tag = attachmentTag(subject, kind);
  const existing = await repository.manifest(tag);
  const artifact = withLayers(existing?.bytes, layers, `${repository.name}:${tag}`);
  for (const bytes of [...layers.map(({ data }) => data), artifact.config.bytes]) {
    const descriptor = { digest: digestOf(bytes), size: bytes.length };
    await putBytes(repository, descriptor, bytes);
  }
  return await repository.putManifest(tag, OCI_MANIFEST, artifact.manifest);
}

/**
 * Serialized, since this reads the manifest and writes it back: of two changes at once, one would
 * be lost.
 */
const additions = new Semaphore(1);

/**
 * Adds layers to the artifact that is in the store, and to no registry.
 *
 * @returns digest of its manifest
 */
export async function storeAttachment(store: AttachmentStore, addition: Addition): Promise<Digest> {
  return await additions.run(() => addToStore(store, addition));
}

async function addToStore(store: AttachmentStore, addition: Addition): Promise<Digest> {
  const { subject, kind, layers } = addition;
  const stored = await store.attachments([subject]);
  const existing = stored.find((each) => isArtifactOf(each, subject, kind));
  const artifact = withLayers(existing?.manifest, layers, `the ${kind}s of ${subject}`);
  const others = stored.filter((each) => each !== existing);
  await store.attach([subject], [...others, attachmentOf(artifact, addition, existing)]);
  return artifact.digest;
}

function attachmentOf(
  { digest, manifest }: Artifact,
  { subject, layers }: Addition,
  existing: Attachment | undefined,
): Attachment {
  const added = layers.map(({ data }): [Digest, Buffer] => [digestOf(data), data]);
  const blobs = new Map([...(existing?.blobs ?? []), ...added]);
  return { subject, attachedBy: 'tag', digest, mediaType: OCI_MANIFEST, manifest, blobs };
}
