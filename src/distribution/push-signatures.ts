/**
 * Pushes an image's signatures and attestations from the store to a registry.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import type { Attachment } from '../images/attachments/attachment.ts';
import type { Image, ImageStore } from '../images/image.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { digestText } from '../oci/digest-text.ts';
import { openObject, parseDocument } from '../oci/json/json.ts';
import type { Repository } from '../registry/registry.ts';
import { pushAttachment } from './attach.ts';
import {
  ATTACHMENT_KINDS,
  type AttachmentKind,
  isArtifactOf,
  type PayloadLayer,
  withLayers,
} from './attachment-artifact.ts';
import { putBytes } from './put-bytes.ts';

/** An artifact was pushed, or was left out for the given reason. */
export type SignatureEvent =
  | { readonly state: 'signature-pushed'; readonly digest: Digest }
  | { readonly state: 'signature-left-out'; readonly digest: Digest; readonly reason: string };

/**
 * The configuration of OCI 1.1 artifacts that have none of their own (image-spec, "Guidance for an
 * Empty Descriptor").
 */
const EMPTY_JSON = Buffer.from('{}');

const Descriptor = openObject({
  mediaType: z.string().max(255),
  digest: digestText,
  size: z.int().min(0),
});
const Artifact = openObject({
  config: Descriptor,
  layers: z.array(Descriptor.extend({ annotations: z.record(z.string(), z.string()).nullish() })),
});
type Artifact = z.infer<typeof Artifact>;

/**
 * Signatures at cosign's tags join those that the registry has there; referrers are pushed as they
 * are. What is attached to an index is left out, since the index is not pushed.
 */
export async function pushSignatures(
  repository: Repository,
  images: Pick<ImageStore, 'attachments'>,
  image: Pick<Image, 'manifestDigest' | 'indexDigests'>,
  progress: (event: SignatureEvent) => void,
): Promise<void> {
  const subjects = [image.manifestDigest, ...image.indexDigests];
  for (const attachment of await images.attachments(subjects)) {
    const { digest } = attachment;
    const reason = await pushOne(repository, attachment, image.manifestDigest);
    if (reason === undefined) progress({ state: 'signature-pushed', digest });
    else progress({ state: 'signature-left-out', digest, reason });
  }
}

/** The reason why it cannot be pushed, if there is one. */
async function pushOne(
  repository: Repository,
  attachment: Attachment,
  manifest: Digest,
): Promise<string | undefined> {
  const { subject, attachedBy, mediaType, manifest: bytes } = attachment;
  if (subject !== manifest) return `it is of the index ${subject}, which is not pushed`;
  const artifact = read(attachment);
  if (artifact === undefined) return 'it is no artifact';
  if (attachedBy === 'referrer') {
    await pushBlobs(repository, attachment, artifact);
    await repository.putManifest(attachment.digest, mediaType, bytes);
    return undefined;
  }
  const kind = ATTACHMENT_KINDS.find((each) => isArtifactOf(attachment, subject, each));
  if (kind === undefined) return 'it is neither of signatures nor of attestations';
  await joinTag(repository, attachment, artifact, kind);
  return undefined;
}

function read({ digest, manifest }: Attachment): Artifact | undefined {
  try {
    return parseDocument(manifest, Artifact, `artifact ${digest}`);
  } catch (error) {
    if (error instanceof A3sError && error.code === 'invalid-image') return undefined;
    throw error;
  }
}

async function joinTag(
  repository: Repository,
  attachment: Attachment,
  artifact: Artifact,
  kind: AttachmentKind,
): Promise<void> {
  const layers = payloadsOf(attachment, artifact);
  await pushAttachment(repository, { subject: attachment.subject, kind, layers });
}

function payloadsOf(attachment: Attachment, { layers }: Artifact): readonly PayloadLayer[] {
  return layers.map(({ mediaType, annotations, digest }) => ({
    mediaType,
    annotations: annotations ?? {},
    data: blobOf(attachment.blobs, digest, attachment.digest),
  }));
}

async function pushBlobs(
  repository: Repository,
  attachment: Attachment,
  artifact: Artifact,
): Promise<void> {
  // The store keeps no configurations, and artifacts have only two kinds: an empty one, and
  // cosign's.
  const cosigns = withLayers(undefined, payloadsOf(attachment, artifact), attachment.digest).config;
  const blobs = new Map([
    ...attachment.blobs,
    [cosigns.digest, cosigns.bytes],
    [digestOf(EMPTY_JSON), EMPTY_JSON],
  ]);
  for (const { digest, size } of [artifact.config, ...artifact.layers]) {
    if (await repository.hasBlob(digest)) continue;
    const data = blobOf(blobs, digest, attachment.digest);
    await putBytes(repository, { digest, size }, data);
  }
}

function blobOf(blobs: ReadonlyMap<Digest, Buffer>, digest: Digest, artifact: Digest): Buffer {
  const data = blobs.get(digest);
  if (data !== undefined) return data;
  throw new A3sError(
    'invalid-image',
    `Cannot push the signature ${artifact}: its blob ${digest} is not in the store`,
    { remedy: 'Copy the image with its signatures from registry to registry: cosign copy.' },
  );
}
