/**
 * Checks the subject of a transparency log entry: this signature, by this key, over this payload.
 *
 * The log proves that it has an entry, not what the entry is for. The libraries compare signature
 * and hash. This module compares the key or certificate in the entry, and everything else, so that
 * nobody can present another entry for a signature that was never logged.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { InclusionProof } from '@sigstore/protobuf-specs';
import type { Evidence } from '../artifact/evidence.ts';
import { isBase64, readJson } from '../artifact/evidence-json.ts';
import { Problem, quoted } from '../artifact/problem.ts';
import { hashesOf } from '../keys/signer-key.ts';
import { MAX_BODY } from '../limits.ts';
import { type EntrySubject, type SignedHash, schemaOf } from './log-kinds.ts';

const MAX_CHECKPOINT = 16 * 1024;

/** @throws Problem `log-entry-malformed`, `log-entry-of-other-artifact` */
export function checkLogEntry(
  entry: TransparencyLogEntry,
  evidence: Evidence,
  key: KeyObject | undefined,
): void {
  checkShape(entry);
  const { kind, version } = entry.kindVersion;
  const schema = schemaOf(kind, version);
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

/** The first difference, or undefined. */
function difference(
  subject: EntrySubject,
  evidence: Evidence,
  key: KeyObject | undefined,
): string | undefined {
  const { payloadHash, signedHash, signature, envelopeHash, verifier } = subject;
  const enveloped = evidence.claim.kind === 'statement';
  if (subject.envelope !== undefined && subject.envelope !== enveloped) return 'type';
  // An entry has to bind the signature: by its bytes, or by those of the envelope around it.
  if (signature === undefined && envelopeHash === undefined) return 'signature';
  if (payloadHash !== undefined && !payloadHash.equals(sha256(evidence.payload))) return 'payload';
  if (signedHash !== undefined && !isHashOf(signedHash, evidence, key)) return 'payload';
  if (signature !== undefined && !signature.equals(evidence.signature)) return 'signature';
  if (envelopeHash !== undefined) {
    if (evidence.envelope === undefined) return 'envelope';
    if (!envelopeHash.equals(sha256(evidence.envelope))) return 'envelope';
  }
  if ([payloadHash, signedHash, envelopeHash].every((hash) => hash === undefined)) return 'payload';
  return sameVerifier(verifier, evidence.certificate, key) ? undefined : 'key or certificate';
}

/** Only by a hash that fits the key: a log's acceptance says nothing about other hashes. */
function isHashOf(
  { algorithm, digest }: SignedHash,
  { signed, certificate }: Evidence,
  key: KeyObject | undefined,
): boolean {
  const signer = key ?? keyIn(certificate);
  if (signer === undefined || !hashesOf(signer).includes(algorithm)) return false;
  return createHash(algorithm).update(signed).digest().equals(digest);
}

function keyIn(certificate: Buffer | undefined): KeyObject | undefined {
  try {
    return certificate && new X509Certificate(certificate).publicKey;
  } catch {
    // Of a kind that OpenSSL does not know: it signs nothing.
    return undefined;
  }
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
    // An unreadable value counts as different.
    return false;
  }
}

/** Checks bounds and forms, for a verifier of proofs that relies on them. @throws Problem */
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

/** Log names are host names with a path. Values that the proof repeats have to be equal. */
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
    lines.every(isSignatureLine);
  if (!fine) throw malformed('its checkpoint is malformed');
}

function isSignatureLine(line: string): boolean {
  const [, signature] =
    /^\u2014 [A-Za-z0-9._:/-]{1,255} ([A-Za-z0-9+/=]{8,8192})$/.exec(line) ?? [];
  return signature !== undefined && isBase64(signature);
}

function malformed(reason: string): Problem {
  return new Problem(
    'log-entry-malformed',
    `its entry in the transparency log cannot be used: ${reason}`,
  );
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
