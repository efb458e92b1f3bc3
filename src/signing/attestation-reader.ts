/**
 * Reads the attestations beside an image for a list: what each claims, and whether a given key
 * signed it.
 *
 * A policy decides elsewhere whether an image is trusted.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import { digestText } from '../oci/digest-text.ts';
import { parseDocument } from '../oci/json/json.ts';
import { DSSE_ENVELOPE } from '../oci/media-types.ts';
import { readEnvelope } from '../trust/artifact/dsse.ts';
import { Problem } from '../trust/artifact/problem.ts';
import { readStatement } from '../trust/artifact/statement.ts';
import { isSignedBy } from '../trust/keys/signer-key.ts';
import { readPolicyKey } from '../trust/policy/policy-keys.ts';

const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.\d+)?\+json(?:;version=0\.\d+)?$/;
const MAX_LAYERS = 1024;
/** Above the store's bound, so that the store's bound takes effect first. */
const MAX_MANIFEST = 4 * 1024 * 1024;

const Manifest = z.looseObject({
  layers: z
    .array(
      z.looseObject({
        mediaType: z.string().max(255),
        digest: digestText,
        size: z.int().min(0),
      }),
    )
    .max(MAX_LAYERS),
});
const Bundle = z.looseObject({ dsseEnvelope: z.looseObject({}).optional() });

export interface AttestationLayer {
  readonly digest: string;
  readonly size: number;
  readonly format: 'cosign' | 'bundle';
}

export interface ReadAttestation {
  readonly predicateType: string;
  /** Digests of the subjects. */
  readonly subjects: readonly string[];
  /** As it was signed. */
  readonly statement: Buffer;
  /** Whether the given public key signed it; undefined where no key was given. */
  readonly signed: boolean | undefined;
}

/**
 * The layers of an artifact that may be attestations; none where it is of another kind.
 *
 * @throws A3sError `invalid-image`
 */
export function attestationLayers(manifest: Buffer, name: string): readonly AttestationLayer[] {
  if (manifest.length > MAX_MANIFEST) {
    throw new A3sError('too-large', `Cannot read ${name}: it has ${manifest.length} bytes`);
  }
  return parseDocument(manifest, Manifest, name).layers.flatMap(({ mediaType, digest, size }) => {
    const format = formatOf(mediaType);
    return format === undefined ? [] : [{ digest, size, format }];
  });
}

function formatOf(mediaType: string): AttestationLayer['format'] | undefined {
  if (mediaType === DSSE_ENVELOPE) return 'cosign';
  return BUNDLE.test(mediaType) ? 'bundle' : undefined;
}

/**
 * Undefined for a bundle that is a signature, and no attestation.
 *
 * @param key a public key in PEM, with the name of its file
 * @throws A3sError `invalid-image` for a malformed attestation
 */
export function readAttestation(
  layer: AttestationLayer,
  content: Buffer,
  key?: PublicKey,
): ReadAttestation | undefined {
  const bytes = layer.format === 'cosign' ? content : envelopeOfBundle(content, layer.digest);
  if (bytes === undefined) return undefined;
  try {
    const { payload, signed, signature } = readEnvelope(bytes);
    const { predicateType, subject } = readStatement(payload);
    return {
      predicateType,
      subjects: subject.map(({ digest }) => `sha256:${digest['sha256'] ?? ''}`),
      statement: payload,
      signed: key === undefined ? undefined : isSignedBy(key.key, signed, signature),
    };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new A3sError(
      'invalid-image',
      `Cannot read attestation ${layer.digest}: ${error.message}`,
    );
  }
}

export type PublicKey = ReturnType<typeof readPolicyKey>;

/** @throws A3sError `key-invalid` */
export function readPublicKey(pem: string, name: string): PublicKey {
  try {
    return readPolicyKey(name, pem);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new A3sError('key-invalid', `Cannot verify with ${name}: ${reason}`);
  }
}

function envelopeOfBundle(content: Buffer, name: string): Buffer | undefined {
  const { dsseEnvelope } = parseDocument(content, Bundle, `bundle ${name}`);
  return dsseEnvelope === undefined ? undefined : Buffer.from(JSON.stringify(dsseEnvelope));
}
