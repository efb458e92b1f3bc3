/**
 * The artifact that cosign keeps signatures or attestations in: an OCI manifest at a tag of the
 * image's digest, one layer for each of them (cosign, `specs/SIGNATURE_SPEC.md` and
 * `specs/ATTESTATION_SPEC.md`).
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import type { Attachment } from '../images/attachments/attachment.ts';
import { type Digest, digestOf, hexOf } from '../oci/digest.ts';
import { digestText } from '../oci/digest-text.ts';
import { parseDocument } from '../oci/json/json.ts';
import { DSSE_ENVELOPE, OCI_CONFIG, OCI_MANIFEST, SIMPLE_SIGNING } from '../oci/media-types.ts';

export const ATTACHMENT_KINDS = ['signature', 'attestation'] as const;
export type AttachmentKind = (typeof ATTACHMENT_KINDS)[number];

/**
 * The signed payload or the statement; its signature is in the annotations or inside the content.
 */
export interface PayloadLayer {
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly data: Buffer;
}

/** An artifact's manifest and the blobs that are its own. */
export interface Artifact {
  readonly manifest: Buffer;
  readonly digest: Digest;
  readonly config: { readonly digest: Digest; readonly bytes: Buffer };
}

const SUFFIXES = { signature: 'sig', attestation: 'att' } as const;

/** Media type of the layers of each kind. */
export const LAYER_TYPES = {
  signature: SIMPLE_SIGNING,
  attestation: DSSE_ENVELOPE,
} as const;

const MAX_LAYERS = 1024;

const Layer = z.looseObject({
  mediaType: z.string().max(255),
  digest: digestText,
  size: z.int().min(0),
  annotations: z.record(z.string(), z.string()).optional(),
});
type Layer = z.infer<typeof Layer>;

const ArtifactManifest = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.literal(OCI_MANIFEST).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  layers: z.array(Layer).max(MAX_LAYERS),
});

/** `sha256-….sig` */
export function attachmentTag(subject: Digest, kind: AttachmentKind): string {
  return `sha256-${hexOf(subject)}.${SUFFIXES[kind]}`;
}

/**
 * Whether the attachment is the artifact of this kind at the subject's tag, by what its layers are.
 */
export function isArtifactOf(
  attachment: Attachment,
  subject: Digest,
  kind: AttachmentKind,
): boolean {
  if (attachment.subject !== subject || attachment.attachedBy !== 'tag') return false;
  const layers = layersOf(attachment);
  return layers.length > 0 && layers.every(({ mediaType }) => mediaType === LAYER_TYPES[kind]);
}

/** Empty where it is no artifact: a registry may have any content at a tag. */
function layersOf({ manifest, digest }: Attachment): readonly Layer[] {
  try {
    return parseDocument(manifest, ArtifactManifest, digest).layers;
  } catch (error) {
    if (error instanceof A3sError && error.code === 'invalid-image') return [];
    throw error;
  }
}

/**
 * Adds layers to the artifact. Its own layers stay, and a layer that it already has is not added
 * again.
 *
 * @param existing bytes of the manifest at the tag
 * @throws A3sError `invalid-image` when the existing manifest is no such artifact
 */
export function withLayers(
  existing: Buffer | undefined,
  added: readonly PayloadLayer[],
  what: string,
): Artifact {
  const before =
    existing === undefined ? undefined : parseDocument(existing, ArtifactManifest, what);
  const layers = [...(before?.layers ?? [])];
  for (const layer of added.map(descriptorOf)) {
    if (!layers.some((other) => isSame(other, layer))) layers.push(layer);
  }
  const configBytes = configOf(layers);
  const config = { digest: digestOf(configBytes), bytes: configBytes };
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, size: configBytes.length, digest: config.digest },
    layers,
    ...(before?.annotations === undefined ? {} : { annotations: before.annotations }),
  });
  return { manifest, digest: digestOf(manifest), config };
}

function descriptorOf({ mediaType, annotations, data }: PayloadLayer): Layer {
  return { mediaType, digest: digestOf(data), size: data.length, annotations: { ...annotations } };
}

function isSame(a: Layer, b: Layer): boolean {
  if (a.digest !== b.digest || a.mediaType !== b.mediaType) return false;
  const [left, right] = [a, b].map(({ annotations }) =>
    JSON.stringify(Object.entries(annotations ?? {}).sort()),
  );
  return left === right;
}

/** A configuration that lists only the layers; readers require one. */
function configOf(layers: readonly Layer[]): Buffer {
  const created = '0001-01-01T00:00:00Z';
  return json({
    architecture: '',
    created,
    history: layers.map(() => ({ created })),
    os: '',
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    config: {},
  });
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
