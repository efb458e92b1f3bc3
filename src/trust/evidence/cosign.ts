/**
 * Signatures and attestations in cosign's classic form: a layer for each, with its data in the
 * layer's annotations.
 *
 * @module
 */
import type { TransparencyLogEntry } from '@sigstore/bundle';
import * as z from 'zod';
import { readEnvelope } from '../artifact/dsse.ts';
import type { Evidence, Place } from '../artifact/evidence.ts';
import { Base64, Hex, isBase64, readJson } from '../artifact/evidence-json.ts';
import { Problem } from '../artifact/problem.ts';
import { readSimpleSigning } from '../artifact/simple-signing.ts';
import { readStatement } from '../artifact/statement.ts';
import { MAX_BODY } from '../limits.ts';
import { certificateFromPem } from '../signer/signer-certificate.ts';

const SIGNATURE = 'dev.cosignproject.cosign/signature';
const CERTIFICATE = 'dev.sigstore.cosign/certificate';
const LOG_ENTRY = 'dev.sigstore.cosign/bundle';
const TIMESTAMP = 'dev.sigstore.cosign/rfc3161timestamp';

const MAX_SIGNATURE = 8 * 1024;
const MAX_TIMESTAMP = 64 * 1024;
const MAX_LOG_ENTRY = 2 * MAX_BODY;

export type Annotations = Readonly<Record<string, string>>;

const LogEntry = z.strictObject({
  SignedEntryTimestamp: Base64,
  Payload: z.strictObject({
    body: Base64,
    integratedTime: z.int().min(0),
    logIndex: z.int().min(0),
    logID: Hex,
  }),
});
const Timestamp = z.strictObject({ SignedRFC3161Timestamp: Base64 });
const KindOfBody = z.looseObject({ kind: z.string(), apiVersion: z.string() });

/** @throws Problem */
export function readCosignSignature(
  payload: Buffer,
  annotations: Annotations,
  place: Place,
): Evidence {
  const claim = { kind: 'simple-signing', payload: readSimpleSigning(payload) } as const;
  const text = annotationOf(annotations, SIGNATURE, MAX_SIGNATURE);
  if (text === undefined || text === '' || !isBase64(text)) {
    throw new Problem('malformed', `its annotation ${SIGNATURE} is not a signature in base64`);
  }
  const signature = Buffer.from(text, 'base64');
  return {
    ...place,
    ...readMaterial(annotations),
    format: 'cosign',
    claim,
    signed: payload,
    payload,
    signature,
    timestamped: signature,
    envelope: undefined,
  };
}

/** @throws Problem */
export function readCosignAttestation(
  envelope: Buffer,
  annotations: Annotations,
  place: Place,
): Evidence {
  const { payload, signature, signed } = readEnvelope(envelope);
  return {
    ...place,
    ...readMaterial(annotations),
    format: 'cosign',
    claim: { kind: 'statement', statement: readStatement(payload) },
    signed,
    payload,
    signature,
    // For attestations, cosign has no signature in the annotations, and timestamps the envelope
    // instead.
    timestamped: envelope,
    envelope,
  };
}

/** The chain is not read: intermediate authorities come from the trusted root alone. */
function readMaterial(
  annotations: Annotations,
): Pick<Evidence, 'certificate' | 'logEntries' | 'timestamps'> {
  const pem = annotationOf(annotations, CERTIFICATE, Number.POSITIVE_INFINITY);
  const entry = annotationOf(annotations, LOG_ENTRY, MAX_LOG_ENTRY);
  const timestamp = annotationOf(annotations, TIMESTAMP, MAX_TIMESTAMP);
  return {
    certificate: pem === undefined ? undefined : certificateFromPem(pem),
    logEntries: entry === undefined ? [] : [readLogEntry(entry)],
    timestamps: timestamp === undefined ? [] : [readTimestamp(timestamp)],
  };
}

function readLogEntry(text: string): TransparencyLogEntry {
  const what = 'its entry in the transparency log';
  const { SignedEntryTimestamp: promise, Payload: entry } = readJson(
    Buffer.from(text),
    LogEntry,
    what,
    'log-entry-malformed',
  );
  const { kind, apiVersion } = readJson(entry.body, KindOfBody, what, 'log-entry-malformed');
  return {
    logIndex: String(entry.logIndex),
    logId: { keyId: entry.logID },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(entry.integratedTime),
    inclusionPromise: { signedEntryTimestamp: promise },
    inclusionProof: undefined,
    canonicalizedBody: entry.body,
  };
}

function readTimestamp(text: string): Buffer {
  return readJson(Buffer.from(text), Timestamp, 'its timestamp').SignedRFC3161Timestamp;
}

/** Undefined where there is none; cosign writes empty ones, too. @throws Problem `too-large` */
function annotationOf(annotations: Annotations, name: string, max: number): string | undefined {
  const text = Object.hasOwn(annotations, name) ? annotations[name] : undefined;
  if (text !== undefined && text.length > max) {
    throw new Problem('too-large', `its annotation ${name} has more than ${max} characters`);
  }
  return text === '' ? undefined : text;
}
