/**
 * Signatures and attestations as they lie in a registry, made by hand so that each part can be
 * wrong.
 *
 * @module
 */
import { type KeyObject, sign } from 'node:crypto';
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Digest } from '../../oci/digest.ts';
import { preAuthEncoding } from '../artifact/dsse.ts';
import { digestOf } from './policies.ts';

export interface LayerParts {
  readonly mediaType: string;
  readonly content: Buffer;
  readonly annotations?: Readonly<Record<string, string>>;
}

export const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const DSSE = 'application/vnd.dsse.envelope.v1+json';
export const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
export const PROVENANCE = 'https://slsa.dev/provenance/v1';

export function attachmentOf(
  subject: Digest,
  layers: readonly LayerParts[],
  attachedBy: Attachment['attachedBy'] = 'tag',
): Attachment {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 },
      layers: layers.map(({ content, ...layer }) => ({
        ...layer,
        size: content.length,
        digest: digestOf(content),
      })),
      ...(attachedBy === 'tag' ? {} : { subject: { mediaType, digest: subject, size: 2 } }),
    }),
  );
  const blobs = new Map(layers.map(({ content }) => [digestOf(content), content]));
  return { subject, attachedBy, digest: digestOf(manifest), mediaType, manifest, blobs };
}

/** As cosign writes it. */
export function simpleSigning(
  subject: string,
  parts: {
    readonly type?: string;
    readonly reference?: string;
    readonly optional?: object | null;
  } = {},
): Buffer {
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': parts.reference ?? 'registry.example:5000/team/app' },
        image: { 'docker-manifest-digest': subject },
        type: parts.type ?? 'cosign container image signature',
      },
      optional: parts.optional ?? null,
    }),
  );
}

export function signatureLayer(
  payload: Buffer,
  signature: Buffer,
  more: Readonly<Record<string, string>> = {},
): LayerParts {
  const annotations = { 'dev.cosignproject.cosign/signature': signature.toString('base64') };
  return {
    mediaType: SIMPLE_SIGNING,
    content: payload,
    annotations: { ...annotations, ...more },
  };
}

/** One good signature by a key. */
export function signedBy(
  key: KeyObject,
  subject: Digest,
  payload: Buffer = simpleSigning(subject),
): Attachment {
  return attachmentOf(subject, [signatureLayer(payload, signWith(key, payload))]);
}

export function statementOf(
  subject: Digest,
  parts: { readonly predicateType?: string; readonly predicate?: unknown } = {},
): Buffer {
  return Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'app', digest: { sha256: subject.slice('sha256:'.length) } }],
      predicateType: parts.predicateType ?? PROVENANCE,
      predicate: parts.predicate ?? {},
    }),
  );
}

export function envelopeOf(
  key: KeyObject,
  payload: Buffer,
  payloadType = 'application/vnd.in-toto+json',
): Buffer {
  const sig = signWith(key, preAuthEncoding(payloadType, payload)).toString('base64');
  return Buffer.from(
    JSON.stringify({ payloadType, payload: payload.toString('base64'), signatures: [{ sig }] }),
  );
}

export function attestedBy(key: KeyObject, subject: Digest, statement: Buffer): Attachment {
  return attachmentOf(subject, [{ mediaType: DSSE, content: envelopeOf(key, statement) }]);
}

export function signWith(key: KeyObject, content: Buffer, hash = 'sha256'): Buffer {
  return sign(key.asymmetricKeyType === 'ed25519' ? null : hash, content, key);
}
