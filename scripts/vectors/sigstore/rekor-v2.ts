/**
 * Signatures in Rekor v2: hashes that stand for envelopes, and timestamps that prove the time.
 *
 * @module
 */
import { type Parts, pemOf } from '../../../src/trust/testing/signatures.ts';
import { pair, type SigstoreWorld } from '../../../src/trust/testing/sigstore-world.ts';
import type { Authorities } from './make-authorities.ts';
import {
  type Case,
  changed,
  entryV2,
  flipped,
  loggedV2,
  otherStatement,
  signed,
  signedAgain,
} from './signing.ts';

const ENTRY = 'verificationMaterial.tlogEntries.0';
const OTHER_ARTIFACT = 'log-entry-of-other-artifact';

export const REKOR_V2: readonly Case[] = [
  ['rekor2', 'signed', 'An entry with a proof alone, and a timestamp.', plain(false)],
  [
    'rekor2-promise-null',
    'signed',
    'The promise, which an entry of version 2 does not have, is null.',
    json(`${ENTRY}.inclusionPromise`, null),
  ],
  [
    'rekor2-proof-missing',
    'malformed',
    'The entry has no proof.',
    json(`${ENTRY}.inclusionProof`, undefined),
  ],
  [
    'rekor2-proof-null',
    'malformed',
    'The proof of the entry is null.',
    json(`${ENTRY}.inclusionProof`, null),
  ],
  ['rekor2-log-unknown', 'log-entry-unproven', 'The log is not in the trusted root.', strangeLog],
  ['rekor2-dsse', 'signed', 'An envelope that is logged as the hash of its PAE.', plain(true)],
  [
    'rekor2-dsse-kind',
    'signed',
    'An envelope that is logged as one.',
    dsse(() => ({ kind: 'dsse' })),
  ],
  [
    'rekor2-dsse-payload-hash',
    OTHER_ARTIFACT,
    'The hash is that of the payload, and not of the PAE.',
    dsse((parts) => ({ parts: { ...parts, enveloped: false } })),
  ],
  [
    'rekor2-dsse-signature-invalid',
    'signature-invalid',
    'The signature is by another key than the certificate, and logged and stamped so.',
    invalidSignature,
  ],
  [
    'rekor2-dsse-other-envelope',
    OTHER_ARTIFACT,
    'The entry is of another statement by the same signer.',
    dsse((parts) => ({ parts: { ...parts, payload: otherStatement() } })),
  ],
  [
    'rekor2-dsse-other-signature',
    OTHER_ARTIFACT,
    'The entry has another signature of the same statement by the same key.',
    otherSignature,
  ],
  [
    'rekor2-dsse-other-certificate',
    OTHER_ARTIFACT,
    'The entry has another certificate for the same signature.',
    otherCertificate,
  ],
  [
    'rekor2-dsse-number',
    'number-not-finite',
    'The statement has a number that is no finite double, and was signed.',
    hugeNumber,
  ],
  ['rekor2-key', 'signed', 'A signature by a key of the policy, with a timestamp.', byKey(true)],
  [
    'rekor2-key-no-timestamp',
    'no-signed-time',
    'Nobody says when the key signed, so that the time of the log cannot be told.',
    byKey(false),
  ],
  ['timestamp-missing', 'no-signed-time', 'Nobody says when it was signed.', stamped(() => [])],
  [
    'timestamp-without-certificate',
    'signed',
    'The timestamp has no certificate of its authority in it.',
    stamped(({ main }, bytes) => [main.stamp(bytes, false)]),
  ],
  [
    'timestamp-of-other-signature',
    'timestamp-invalid',
    'The timestamp is of another signature.',
    stamped(({ main }, bytes) => [main.stamp(flipped(bytes))]),
  ],
  [
    'timestamp-untrusted',
    'timestamp-invalid',
    'The timestamp is by an authority that is not in the trusted root.',
    stamped(({ other }, bytes) => [other.stamp(bytes)]),
  ],
  [
    'timestamp-untrusted-without-certificate',
    'timestamp-invalid',
    'The same without the certificate in it.',
    stamped(({ other }, bytes) => [other.stamp(bytes, false)]),
  ],
  [
    'timestamp-after-certificate',
    'certificate-not-valid-then',
    'The timestamp is after the time of the certificate.',
    stamped(({ late }, bytes) => [late.stamp(bytes)]),
  ],
  [
    'timestamp-one-of-two-late',
    'certificate-not-valid-then',
    'The second timestamp is after the time of the certificate.',
    stamped(({ main, late }, bytes) => [main.stamp(bytes), late.stamp(bytes)]),
  ],
  [
    'timestamp-after-authority',
    'timestamp-invalid',
    "The timestamp is after the time of its authority's certificate.",
    stamped(({ expired }, bytes) => [expired.stamp(bytes)]),
  ],
];

function plain(enveloped: boolean): Case[3] {
  return async (all) => ({ parts: await loggedV2(all, enveloped) });
}

function json(path: string, value: unknown): Case[3] {
  return async (all) => ({
    parts: await loggedV2(all, false),
    json: (document) => changed(document, path, value),
  });
}

async function strangeLog(all: Authorities) {
  const parts = await signed(all, false);
  return { parts: await withEntry(all, parts, entryV2(all.strange, parts)) };
}

async function withEntry(
  all: Authorities,
  parts: Parts,
  entry: Parts['entries'][number],
): Promise<Parts> {
  return { ...parts, entries: [entry], timestamps: [await all.main.stamp(parts.signature)] };
}

interface Logged {
  readonly parts?: Parts;
  readonly kind?: 'dsse';
}

/** A good envelope, with the entry of what is made of it. */
function dsse(make: (parts: Parts) => Logged): Case[3] {
  return async (all) => {
    const parts = await signed(all, true);
    const { parts: logged = parts, kind } = make(parts);
    return { parts: await withEntry(all, parts, entryV2(all.v2, logged, kind && { kind })) };
  };
}

async function invalidSignature(all: Authorities) {
  const [good, other] = [await signed(all, true), await signed(all, true)];
  const parts = { ...good, signature: other.signature };
  return { parts: await withEntry(all, parts, entryV2(all.v2, parts)) };
}

async function otherSignature(all: Authorities) {
  const { publicKey, privateKey } = pair();
  const certificate = await all.main.certify(publicKey);
  const parts = { ...(await signed(all, true, { key: privateKey })), certificate };
  return { parts: await withEntry(all, parts, entryV2(all.v2, signedAgain(parts, privateKey))) };
}

async function otherCertificate(all: Authorities) {
  const parts = await signed(all, true);
  const verifier = await all.main.certify(pair().publicKey);
  return { parts: await withEntry(all, parts, entryV2(all.v2, parts, { verifier })) };
}

async function hugeNumber(all: Authorities) {
  const text = otherStatement().toString();
  const payload = Buffer.from(text.replace('"another":true', '"another":1e999'));
  const parts = await signed(all, true, { payload });
  return { parts: await withEntry(all, parts, entryV2(all.v2, parts)) };
}

function byKey(isStamped: boolean): Case[3] {
  return async (all) => {
    const { publicKey, privateKey } = pair();
    const parts = await signed(all, false, { key: privateKey });
    const entry = entryV2(all.v2, parts, { verifier: publicKey });
    const whole = await withEntry(all, parts, entry);
    return {
      parts: isStamped ? whole : { ...whole, timestamps: [] },
      require: { keys: [pemOf(publicKey)] },
    };
  };
}

type Stamps = (
  all: Readonly<Record<'main' | 'other' | 'late' | 'expired', SigstoreWorld>>,
  signature: Buffer,
) => readonly Promise<Buffer>[];

function stamped(make: Stamps): Case[3] {
  return async (all) => {
    const parts = await loggedV2(all, false);
    const timestamps = await Promise.all(make(all, parts.signature));
    return { parts: { ...parts, timestamps }, root: () => all.root('all') };
  };
}
