/**
 * An image as registries have it: listed by an index of several platforms, with signatures beside
 * it.
 *
 * @module
 */

import type { Digest } from '../../oci/digest.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../oci/media-types.ts';
import type { Attachment } from '../attachments/attachment.ts';
import type { StoredDocument } from '../image.ts';
import { type BuiltImage, hostArchitecture, ociLayout, sha256 } from './build-image.ts';
import { writeTar } from './tar-writer.ts';

export interface MultiArchImage {
  /** Digest of the index. */
  readonly index: Digest;
  readonly documents: { readonly manifest: StoredDocument; readonly index: StoredDocument };
}

/** An index that lists the image, and one of another platform that nobody has. */
export function multiArchImage(image: BuiltImage): MultiArchImage {
  const bytes = json({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [
      {
        mediaType: OCI_MANIFEST,
        digest: `sha256:${'e'.repeat(64)}`,
        size: 1234,
        platform: { os: 'linux', architecture: 's390x' },
      },
      { ...image.manifest, platform: { os: 'linux', architecture: hostArchitecture() } },
    ],
  });
  const manifest = image.blobs.get(image.manifest.digest) ?? Buffer.alloc(0);
  return {
    index: digestOf(bytes),
    documents: {
      manifest: { digest: digestOf(manifest), mediaType: OCI_MANIFEST, bytes: manifest },
      index: { digest: digestOf(bytes), mediaType: OCI_INDEX, bytes },
    },
  };
}

/**
 * An artifact in the form of a signature or an attestation by cosign, without a valid signature.
 */
export function signatureOf(
  subject: Digest,
  kind: 'sig' | 'att' | 'referrer' = 'sig',
  text: string = kind,
): Attachment {
  const payload = json({ subject, text });
  const layer = {
    mediaType:
      kind === 'att'
        ? 'application/vnd.dsse.envelope.v1+json'
        : 'application/vnd.dev.cosign.simplesigning.v1+json',
    digest: digestOf(payload),
    size: payload.length,
  };
  const config = json({});
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(config),
      size: config.length,
    },
    layers: [layer],
    ...(kind === 'referrer'
      ? { subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 } }
      : {}),
  });
  return {
    subject,
    attachedBy: kind === 'referrer' ? 'referrer' : 'tag',
    digest: digestOf(manifest),
    mediaType: OCI_MANIFEST,
    manifest,
    blobs: new Map([[layer.digest, payload]]),
  };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function digestOf(bytes: Buffer): Digest {
  return sha256(bytes) as Digest;
}

/** An OCI layout as one tar: the image, and what is attached to it. */
export function signedArchive(image: BuiltImage, attachments: readonly Attachment[]): Buffer {
  const files = ociLayout([image]);
  const index = JSON.parse(`${files.get('index.json')}`) as { manifests: object[] };
  for (const { subject, attachedBy, digest, mediaType, manifest, blobs } of attachments) {
    const tag = `sha256-${subject.slice('sha256:'.length)}.sig`;
    index.manifests.push({
      mediaType,
      digest,
      size: manifest.length,
      ...(attachedBy === 'tag'
        ? { annotations: { 'org.opencontainers.image.ref.name': tag } }
        : {}),
    });
    for (const [blob, bytes] of [[digest, manifest] as const, ...blobs]) {
      files.set(`blobs/sha256/${blob.slice('sha256:'.length)}`, bytes);
    }
  }
  files.set('index.json', json(index));
  return writeTar([...files].map(([path, data]) => ({ path, data })));
}
