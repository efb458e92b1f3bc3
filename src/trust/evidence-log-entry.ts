/**
 * What an entry of a transparency log is about: it has to be this signature, by this key, over this payload.
 *
 * The log proves that it has an entry, not what for. The libraries compare signature and hash; the
 * key or certificate in the entry is compared here, with all the rest, so that nobody can show an
 * entry of theirs for a signature that was never logged.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { InclusionProof } from '@sigstore/protobuf-specs';
import * as z from 'zod';
import type { Evidence } from './evidence.ts';
import { Base64, Hex, readJson } from './evidence-json.ts';
import { Problem, quoted } from './evidence-problem.ts';

export const MAX_BODY = 128 * 1024;
const MAX_CHECKPOINT = 16 * 1024;

const Sha256 = z.looseObject({ algorithm: z.literal('sha256'), value: Hex });
const Sha256V2 = z.looseObject({ algorithm: z.literal('SHA2_256'), digest: Base64 });
const Pem = z.looseObject({ content: Base64 });
const VerifierV2 = z.looseObject({
  publicKey: z.looseObject({ rawBytes: Base64 }).optional(),
  x509Certificate: z.looseObject({ rawBytes: Base64 }).optional(),
});

/** Rekor's types, by kind and version. Each gives the same four things. */
const KINDS = new Map<string, z.ZodType<EntrySubject>>([
  ['hashedrekord/0.0.1', rekord('hashedrekord', Sha256)],
  ['rekord/0.0.1', rekord('rekord', Sha256)],
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
          data: Sha256V2,
          signature: z.looseObject({ content: Base64, verifier: VerifierV2 }),
        }),
      }),
    ).transform(({ spec: { hashedRekordV002: spec } }) => ({
      envelope: false,
      payloadHash: spec.data.digest,
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

interface EntrySubject {
  /** Whether the entry is of a DSSE envelope. */
  readonly envelope: boolean;
  readonly envelopeHash?: Buffer | undefined;
  readonly payloadHash?: Buffer | undefined;
  readonly signature?: Buffer | undefined;
  readonly verifier: {
    readonly pem?: Buffer | undefined;
    readonly key?: Buffer | undefined;
    readonly certificate?: Buffer | undefined;
  };
}

/** @throws Problem `log-entry-malformed`, `log-entry-of-other-artifact` */
export function checkLogEntry(
  entry: TransparencyLogEntry,
  evidence: Evidence,
  key: KeyObject | undefined,
): void {
  checkShape(entry);
  const { kind, version } = entry.kindVersion;
  const schema = KINDS.get(`${kind}/${version}`);
  if (schema === undefined) {
    throw malformed(`it is of a kind that is not known, ${quoted(`${kind} ${version}`)}`);
  }
  const subject = readJson(
    entry.canonicalizedBody,
    schema,
    'its entry in the transparency log',
    'log-entry-malformed',
  );
  const differs = difference(subject, evidence, key);
  if (differs === undefined) return;
  throw new Problem(
    'log-entry-of-other-artifact',
    `its entry in the transparency log is of another artifact: it has another ${differs}`,
  );
}

/** The first thing that is not the same, or undefined. */
function difference(
  subject: EntrySubject,
  evidence: Evidence,
  key: KeyObject | undefined,
): string | undefined {
  const { payloadHash, signature, envelopeHash, verifier } = subject;
  if (subject.envelope !== (evidence.claim.kind === 'statement')) return 'type';
  // An entry has to bind the signature: by its bytes, or by those of the envelope around it.
  if (signature === undefined && envelopeHash === undefined) return 'signature';
  if (payloadHash !== undefined && !payloadHash.equals(sha256(evidence.payload))) return 'payload';
  if (signature !== undefined && !signature.equals(evidence.signature)) return 'signature';
  if (envelopeHash !== undefined) {
    if (evidence.envelope === undefined) return 'envelope';
    if (!envelopeHash.equals(sha256(evidence.envelope))) return 'envelope';
  }
  if (payloadHash === undefined && envelopeHash === undefined) return 'payload';
  return sameVerifier(verifier, evidence.certificate, key) ? undefined : 'key or certificate';
}

function sameVerifier(
  verifier: EntrySubject['verifier'],
  certificate: Buffer | undefined,
  key: KeyObject | undefined,
): boolean {
  try {
    if (certificate !== undefined) {
      const logged = verifier.certificate ?? verifier.pem;
      return logged !== undefined && new X509Certificate(logged).raw.equals(certificate);
    }
    if (key === undefined) return false;
    if (verifier.key !== undefined) {
      return createPublicKey({ key: verifier.key, format: 'der', type: 'spki' }).equals(key);
    }
    // From a certificate, `createPublicKey` would take the key inside.
    const pem = verifier.pem?.toString('latin1');
    return pem?.includes('PUBLIC KEY-----') === true && createPublicKey(pem).equals(key);
  } catch {
    // What cannot be read is not the same.
    return false;
  }
}

/** Bounds, and no more freedom than the verifier of proofs can bear. @throws Problem */
function checkShape(entry: TransparencyLogEntry): void {
  if (entry.canonicalizedBody.length > MAX_BODY) {
    throw new Problem(
      'too-large',
      `its entry in the transparency log is larger than ${MAX_BODY} bytes`,
    );
  }
  const numbers = [entry.logIndex, entry.integratedTime];
  if (entry.inclusionProof !== undefined) {
    numbers.push(entry.inclusionProof.logIndex, entry.inclusionProof.treeSize);
    checkCheckpoint(entry.inclusionProof);
  }
  // Number() takes more spellings, and rounds above 2^53.
  if (!numbers.every((number) => /^(?:0|[1-9][0-9]{0,14})$/.test(number))) {
    throw malformed('a number in it is malformed');
  }
}

/**
 * A checkpoint's signatures have names, which the verifier uses as regular expressions: only what a
 * host name and path can be gets there. What the proof repeats has to be the same.
 */
function checkCheckpoint({ checkpoint, rootHash, treeSize }: InclusionProof): void {
  const text = checkpoint?.envelope ?? '';
  const [note = '', signatures = '', ...rest] = text.split('\n\n');
  const [, size, root] = note.split('\n');
  const lines = signatures.split('\n');
  const fine =
    text.length <= MAX_CHECKPOINT &&
    rest.length === 0 &&
    size === treeSize &&
    root === rootHash.toString('base64') &&
    lines.pop() === '' &&
    lines.length > 0 &&
    lines.length <= 32 &&
    lines.every((line) => /^\u2014 [A-Za-z0-9._:/-]{1,255} [A-Za-z0-9+/=]{8,8192}$/.test(line));
  if (!fine) throw malformed('its checkpoint is malformed');
}

function malformed(reason: string): Problem {
  return new Problem(
    'log-entry-malformed',
    `its entry in the transparency log cannot be used: ${reason}`,
  );
}

function body<T>(kind: string, version: string, spec: z.ZodType<T>) {
  return z.looseObject({ kind: z.literal(kind), apiVersion: z.literal(version), spec });
}

function rekord(kind: string, hash: typeof Sha256): z.ZodType<EntrySubject> {
  return body(
    kind,
    '0.0.1',
    z.looseObject({
      data: z.looseObject({ hash }),
      signature: z.looseObject({ content: Base64, publicKey: Pem }),
    }),
  ).transform(({ spec }) => ({
    envelope: false,
    payloadHash: spec.data.hash.value,
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

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
