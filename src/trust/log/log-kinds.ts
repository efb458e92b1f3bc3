/**
 * The types of entries that Rekor has (github.com/sigstore/rekor/tree/main/pkg/types, and
 * rekor-tiles for version 2), each read into the same fields.
 *
 * @module
 */
import * as z from 'zod';
import { Base64, Hex } from '../artifact/evidence-json.ts';

/** Keys on P-384 and P-521 sign SHA-384 and SHA-512. */
export interface SignedHash {
  readonly algorithm: 'sha256' | 'sha384' | 'sha512';
  readonly digest: Buffer;
}

/** The contents of an entry. */
export interface EntrySubject {
  /** Whether the entry is of a DSSE envelope; undefined for a kind that may be of one. */
  readonly envelope: boolean | undefined;
  readonly envelopeHash?: Buffer | undefined;
  readonly payloadHash?: Buffer | undefined;
  /** Of what the signature is over: of an envelope that is the PAE, and not the payload. */
  readonly signedHash?: SignedHash | undefined;
  readonly signature?: Buffer | undefined;
  readonly verifier: {
    readonly pem?: Buffer | undefined;
    readonly key?: Buffer | undefined;
    readonly certificate?: Buffer | undefined;
  };
}

const Sha256 = z.looseObject({ algorithm: z.literal('sha256'), value: Hex });
const Sha256V2 = z.looseObject({ algorithm: z.literal('SHA2_256'), digest: Base64 });
const Sha2 = z
  .looseObject({ algorithm: z.enum(['sha256', 'sha384', 'sha512']), value: Hex })
  .transform(({ algorithm, value }): SignedHash => ({ algorithm, digest: value }));
const ALGORITHMS_V2 = { SHA2_256: 'sha256', SHA2_384: 'sha384', SHA2_512: 'sha512' } as const;
const Sha2V2 = z
  .looseObject({ algorithm: z.enum(['SHA2_256', 'SHA2_384', 'SHA2_512']), digest: Base64 })
  .transform(
    ({ algorithm, digest }): SignedHash => ({
      algorithm: ALGORITHMS_V2[algorithm],
      digest,
    }),
  );
const Pem = z.looseObject({ content: Base64 });
const VerifierV2 = z.looseObject({
  publicKey: z.looseObject({ rawBytes: Base64 }).optional(),
  x509Certificate: z.looseObject({ rawBytes: Base64 }).optional(),
});

const KINDS = new Map<string, z.ZodType<EntrySubject>>([
  ['hashedrekord/0.0.1', rekord('hashedrekord')],
  ['rekord/0.0.1', rekord('rekord')],
  [
    'dsse/0.0.1',
    body(
      'dsse',
      '0.0.1',
      z.looseObject({
        payloadHash: Sha256,
        signatures: z.array(z.looseObject({ signature: Base64, verifier: Base64 })).length(1),
      }),
    ).transform(({ spec }) => ({
      envelope: true,
      payloadHash: spec.payloadHash.value,
      signature: spec.signatures[0]?.signature,
      verifier: { pem: spec.signatures[0]?.verifier },
    })),
  ],
  [
    'intoto/0.0.1',
    body(
      'intoto',
      '0.0.1',
      z.looseObject({
        content: z.looseObject({ hash: Sha256, payloadHash: Sha256.optional() }),
        publicKey: Base64,
      }),
    ).transform(({ spec }) => ({
      envelope: true,
      envelopeHash: spec.content.hash.value,
      payloadHash: spec.content.payloadHash?.value,
      verifier: { pem: spec.publicKey },
    })),
  ],
  [
    'intoto/0.0.2',
    body(
      'intoto',
      '0.0.2',
      z.looseObject({
        content: z.looseObject({
          payloadHash: Sha256,
          envelope: z.looseObject({
            signatures: z.array(z.looseObject({ sig: Base64, publicKey: Base64 })).length(1),
          }),
        }),
      }),
    ).transform(({ spec }) => {
      const signature = spec.content.envelope.signatures[0];
      return {
        envelope: true,
        payloadHash: spec.content.payloadHash.value,
        // Encoded twice, by the log's own definition.
        signature: signature && Buffer.from(signature.sig.toString('latin1'), 'base64'),
        verifier: { pem: signature?.publicKey },
      };
    }),
  ],
  [
    'hashedrekord/0.0.2',
    body(
      'hashedrekord',
      '0.0.2',
      z.looseObject({
        hashedRekordV002: z.looseObject({
          data: Sha2V2,
          signature: z.looseObject({ content: Base64, verifier: VerifierV2 }),
        }),
      }),
    ).transform(({ spec: { hashedRekordV002: spec } }) => ({
      // Rekor v2 logs envelopes as hashes, too.
      envelope: undefined,
      signedHash: spec.data,
      signature: spec.signature.content,
      verifier: verifierV2(spec.signature.verifier),
    })),
  ],
  [
    'dsse/0.0.2',
    body(
      'dsse',
      '0.0.2',
      z.looseObject({
        dsseV002: z.looseObject({
          payloadHash: Sha256V2,
          signatures: z.array(z.looseObject({ content: Base64, verifier: VerifierV2 })).length(1),
        }),
      }),
    ).transform(({ spec: { dsseV002: spec } }) => ({
      envelope: true,
      payloadHash: spec.payloadHash.digest,
      signature: spec.signatures[0]?.content,
      verifier: verifierV2(spec.signatures[0]?.verifier ?? {}),
    })),
  ],
]);

/** Undefined for a type that is not known. */
export function schemaOf(kind: string, version: string): z.ZodType<EntrySubject> | undefined {
  return KINDS.get(`${kind}/${version}`);
}

function body<T>(kind: string, version: string, spec: z.ZodType<T>) {
  return z.looseObject({ kind: z.literal(kind), apiVersion: z.literal(version), spec });
}

function rekord(kind: string): z.ZodType<EntrySubject> {
  return body(
    kind,
    '0.0.1',
    z.looseObject({
      data: z.looseObject({ hash: Sha2 }),
      signature: z.looseObject({ content: Base64, publicKey: Pem }),
    }),
  ).transform(({ spec }) => ({
    envelope: false,
    signedHash: spec.data.hash,
    signature: spec.signature.content,
    verifier: { pem: spec.signature.publicKey.content },
  }));
}

function verifierV2(verifier: z.infer<typeof VerifierV2>): EntrySubject['verifier'] {
  return {
    key: verifier.publicKey?.rawBytes,
    certificate: verifier.x509Certificate?.rawBytes,
  };
}
