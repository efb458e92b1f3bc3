/**
 * Sigstore bundles, versions 0.1 to 0.3, as artifacts in a registry.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import {
  BUNDLE_V01_MEDIA_TYPE,
  BUNDLE_V02_MEDIA_TYPE,
  BUNDLE_V03_LEGACY_MEDIA_TYPE,
  BUNDLE_V03_MEDIA_TYPE,
  type Bundle,
  bundleFromJSON,
  ValidationError,
} from '@sigstore/bundle';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { checkPayloadType, preAuthEncoding } from '../artifact/dsse.ts';
import type { Evidence, Place } from '../artifact/evidence.ts';
import { readJson } from '../artifact/evidence-json.ts';
import { Problem, quoted } from '../artifact/problem.ts';
import { readSimpleSigning } from '../artifact/simple-signing.ts';
import { readStatement } from '../artifact/statement.ts';
import type { Finding } from '../decision.ts';
import { checkIntermediate } from '../signer/signer-certificate.ts';
import { BundleDocument } from './bundle-document.ts';

const FORMATS = new Map<string, Finding['format']>([
  [BUNDLE_V01_MEDIA_TYPE, 'bundle-0.1'],
  [BUNDLE_V02_MEDIA_TYPE, 'bundle-0.2'],
  [BUNDLE_V03_LEGACY_MEDIA_TYPE, 'bundle-0.3'],
  [BUNDLE_V03_MEDIA_TYPE, 'bundle-0.3'],
]);
const MAX_BUNDLE = 24 * 1024 * 1024;

/** By the media type of a layer, or of a bundle itself; undefined where it is of another kind. */
export function bundleFormat(mediaType: string): Finding['format'] | undefined {
  return FORMATS.get(mediaType);
}

/**
 * @param blobs the artifact's layers: one may be the payload that the bundle is a signature of
 * @throws Problem
 */
export function readBundle(
  bytes: Buffer,
  blobs: ReadonlyMap<Digest, Buffer>,
  place: Place,
): Evidence {
  const bundle = parse(bytes);
  const format = bundleFormat(bundle.mediaType);
  if (format === undefined) {
    throw new Problem('unknown-format', `it is a bundle of type ${quoted(bundle.mediaType)}`);
  }
  return { ...place, format, ...contentOf(bundle, blobs), ...materialOf(bundle) };
}

function parse(bytes: Buffer): Bundle {
  if (bytes.length > MAX_BUNDLE) {
    throw new Problem('too-large', `its bundle has ${bytes.length} bytes, more than ${MAX_BUNDLE}`);
  }
  try {
    return bundleFromJSON(readJson(bytes, BundleDocument, 'its bundle'));
  } catch (error) {
    if (error instanceof Problem) throw error;
    const fields = error instanceof ValidationError ? error.fields.slice(0, 5).join(', ') : '';
    throw new Problem('malformed', `its bundle is malformed${fields && `: ${fields}`}`);
  }
}

function contentOf(
  { content }: Bundle,
  blobs: ReadonlyMap<Digest, Buffer>,
): Pick<Evidence, 'claim' | 'signed' | 'payload' | 'signature' | 'timestamped' | 'envelope'> {
  if (content.$case === 'dsseEnvelope') {
    const { payload, payloadType, signatures } = content.dsseEnvelope;
    checkPayloadType(payloadType);
    const signature = signatures[0]?.sig ?? Buffer.alloc(0);
    return {
      claim: { kind: 'statement', statement: readStatement(payload) },
      signed: preAuthEncoding(payloadType, payload),
      payload,
      signature,
      timestamped: signature,
      envelope: undefined,
    };
  }
  const { messageDigest, signature } = content.messageSignature;
  // The library trusts this digest. Here the digest selects the payload, and is computed from it
  // again.
  const digest = `sha256:${messageDigest.digest.toString('hex')}`;
  const payload = isDigest(digest) ? blobs.get(digest) : undefined;
  if (payload === undefined) {
    throw new Problem('malformed', `its bundle is over ${digest}, which is not beside it`);
  }
  if (!createHash('sha256').update(payload).digest().equals(messageDigest.digest)) {
    throw new Problem('altered', 'its payload is not what its digest says');
  }
  return {
    claim: { kind: 'simple-signing', payload: readSimpleSigning(payload) },
    signed: payload,
    payload,
    signature,
    timestamped: signature,
    envelope: undefined,
  };
}

function materialOf({
  verificationMaterial: material,
}: Bundle): Pick<Evidence, 'certificate' | 'logEntries' | 'timestamps'> {
  return {
    certificate: certificateOf(material.content),
    logEntries: material.tlogEntries,
    timestamps: (material.timestampVerificationData?.rfc3161Timestamps ?? []).map(
      ({ signedTimestamp }) => signedTimestamp,
    ),
  };
}

/**
 * Authorities come from the trusted root alone: a chain is used for its first one, and none may be
 * a root.
 */
function certificateOf(content: Bundle['verificationMaterial']['content']): Buffer | undefined {
  switch (content.$case) {
    case 'publicKey':
      return undefined;
    case 'certificate':
      return content.certificate.rawBytes;
    case 'x509CertificateChain': {
      const [first, ...authorities] = content.x509CertificateChain.certificates;
      for (const { rawBytes } of authorities) checkIntermediate(rawBytes);
      return first?.rawBytes ?? Buffer.alloc(0);
    }
  }
}
