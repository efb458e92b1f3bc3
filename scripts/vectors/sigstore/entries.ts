/**
 * Entries of Rekor v1: their subjects, their times, and their proofs. Keys that a policy names.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { simpleSigning } from '../../../src/trust/testing/artifacts.ts';
import { type Parts, pemOf } from '../../../src/trust/testing/signatures.ts';
import { pair } from '../../../src/trust/testing/sigstore-world.ts';
import type { Authorities } from './make-authorities.ts';
import {
  type Case,
  CLOCK,
  changed,
  entryV1,
  flipped,
  IMAGE,
  identity,
  loggedV1,
  otherStatement,
  signed,
  signedAgain,
} from './signing.ts';

const OTHER_PAYLOAD = simpleSigning(IMAGE, { optional: { another: 'payload' } });
const HOUR = 3_600_000;

export const ENTRIES: readonly Case[] = [
  ['entry-rekord', 'signed', 'An entry of the kind rekord.', ofKind('rekord', false)],
  ['entry-intoto', 'signed', 'An entry of the kind intoto 0.0.2.', ofKind('intoto2', true)],
  [
    'entry-other-payload',
    'log-entry-of-other-artifact',
    'The entry has the hash of another payload.',
    about(false, (parts) => ({ ...parts, payload: OTHER_PAYLOAD })),
  ],
  [
    'entry-other-signature',
    'log-entry-of-other-artifact',
    'The entry has another signature of the same payload by the same key.',
    withKey(false, (parts, key) => signedAgain(parts, key)),
  ],
  [
    'entry-other-certificate',
    'log-entry-of-other-artifact',
    'The entry has another certificate and another signature of the same payload.',
    (all) => entryOf(all, false, async () => await signed(all, false)),
  ],
  [
    'entry-other-key',
    'log-entry-of-other-artifact',
    'The entry has another certificate for the same signature.',
    (all) =>
      entryOf(all, false, async (parts) => ({
        ...parts,
        certificate: await all.main.certify(pair().publicKey),
      })),
  ],
  [
    'dsse-other-envelope',
    'log-entry-of-other-artifact',
    'The entry is of another statement by the same signer.',
    about(true, (parts) => ({ ...parts, payload: otherStatement() })),
  ],
  [
    'dsse-other-signature',
    'log-entry-of-other-artifact',
    'The entry has another signature of the same statement by the same key.',
    withKey(true, (parts, key) => signedAgain(parts, key)),
  ],
  [
    'dsse-signature-invalid',
    'signature-invalid',
    'The signature is by no key, and it was logged so.',
    async (all) => {
      const good = await signed(all, true);
      const parts = { ...good, signature: flipped(good.signature) };
      return { parts: { ...parts, entries: [entryV1(all.v1, parts)] } };
    },
  ],
  [
    'intoto-other-signature',
    'log-entry-of-other-artifact',
    'The entry of the kind intoto has another signature.',
    (all) => entryOf(all, true, async () => await signed(all, true), 'intoto2'),
  ],
  [
    'signature-of-other-payload',
    'signature-invalid',
    'Signature and entry are of another payload, but for its hash.',
    async (all) => {
      const other = await signed(all, false, { payload: OTHER_PAYLOAD });
      const parts = { ...other, payload: simpleSigning(IMAGE) };
      return { parts: { ...parts, entries: [entryV1(all.v1, parts)] } };
    },
  ],
  [
    'promise-invalid',
    'log-entry-unproven',
    'The promise has another byte.',
    entryWith(({ inclusionPromise, ...entry }) => ({
      ...entry,
      inclusionPromise: {
        signedEntryTimestamp: flipped(inclusionPromise?.signedEntryTimestamp ?? Buffer.alloc(1)),
      },
    })),
  ],
  [
    'promise-after-certificate',
    'certificate-not-valid-then',
    'The log promised the entry after the time of the certificate.',
    promisedAt(HOUR),
  ],
  [
    'promise-before-certificate',
    'certificate-not-valid-then',
    'The log promised the entry before the time of the certificate.',
    promisedAt(-HOUR),
  ],
  [
    'proof-missing',
    'malformed',
    'An entry in a bundle of version 0.2 has no proof.',
    async (all) => ({
      parts: await loggedV1(all, false),
      version: '0.2',
      json: (document) =>
        changed(document, 'verificationMaterial.tlogEntries.0.inclusionProof', undefined),
    }),
  ],
  [
    'proof-hash',
    'log-entry-unproven',
    'A hash of the proof has another bit.',
    proofWith((proof) => ({
      hashes: proof.hashes.with(1, flipped(proof.hashes[1] ?? Buffer.alloc(1))),
    })),
  ],
  [
    'proof-index',
    'log-entry-unproven',
    'The proof is of another index.',
    proofWith(() => ({ logIndex: '3' })),
  ],
  [
    'proof-of-other-entry',
    'log-entry-unproven',
    'Proof and checkpoint are of another entry of the log.',
    async (all) => {
      const [parts, other] = [await loggedV1(all, false), await loggedV1(all, false)];
      const inclusionProof = other.entries[0]?.inclusionProof;
      return {
        parts: { ...parts, entries: parts.entries.map((one) => ({ ...one, inclusionProof })) },
      };
    },
  ],
  ['key', 'signed', 'A signature by a key of the policy, in a log.', byKey(pair(), 'sha256')],
  [
    'key-384',
    'signed',
    'A key on P-384 signs SHA-384, and the log has that hash.',
    byKey(generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'sha384'),
  ],
  [
    'key-521',
    'signed',
    'A key on P-521 signs SHA-512, and the log has that hash.',
    byKey(generateKeyPairSync('ec', { namedCurve: 'P-521' }), 'sha512'),
  ],
  [
    'key-other-hash',
    'log-entry-of-other-artifact',
    'A key on P-256 signs SHA-256, and the log has the SHA-384.',
    async (all) => {
      const { publicKey, privateKey } = pair();
      const parts = await signed(all, false, { key: privateKey });
      const entry = entryV1(all.v1, { ...parts, hash: 'sha384' }, { verifier: publicKey });
      return { parts: { ...parts, entries: [entry] }, require: { keys: [pemOf(publicKey)] } };
    },
  ],
  [
    'key-other',
    'no-key-matches',
    'The signature is by another key than that of the policy.',
    async (all) => ({
      ...(await byKey(pair(), 'sha256')(all)),
      require: { keys: [pemOf(pair().publicKey)] },
    }),
  ],
  [
    'key-not-asked-for',
    'no-certificate',
    'The signature is by a key, and the policy asks for an identity.',
    async (all) => ({
      ...(await byKey(pair(), 'sha256')(all)),
      require: { identities: [identity()] },
    }),
  ],
  [
    'key-garbled',
    'policy-invalid',
    'The key of the policy is none.',
    async (all) => {
      const pem = pemOf(pair().publicKey).replace(/.{24}\n-----END/, '++++wrong-key\n-----END');
      return { ...(await byKey(pair(), 'sha256')(all)), require: { keys: [pem] } };
    },
  ],
  [
    'identity-other',
    'other-identity',
    'The certificate is for somebody else than the policy asks for.',
    async (all) => ({
      parts: await loggedV1(all, false),
      require: { identities: [identity('https://ci.example/team/other')] },
    }),
  ],
];

type Kind = NonNullable<NonNullable<Parameters<typeof entryV1>[2]>['kind']>;

/** A good signature with the entry of what `other` makes of it. */
async function entryOf(
  all: Authorities,
  enveloped: boolean,
  other: (parts: Parts) => Parts | Promise<Parts>,
  kind?: Kind,
) {
  const parts = await signed(all, enveloped);
  const entry = entryV1(all.v1, await other(parts), kind && { kind });
  return { parts: { ...parts, entries: [entry] } };
}

function about(enveloped: boolean, other: (parts: Parts) => Parts): Case[3] {
  return (all) => entryOf(all, enveloped, other);
}

function ofKind(kind: Kind, enveloped: boolean): Case[3] {
  return (all) => entryOf(all, enveloped, (parts) => parts, kind);
}

function withKey(enveloped: boolean, other: (parts: Parts, key: KeyObject) => Parts): Case[3] {
  return async (all) => {
    const { publicKey, privateKey } = pair();
    const certificate = await all.main.certify(publicKey);
    const parts = { ...(await signed(all, enveloped, { key: privateKey })), certificate };
    return { parts: { ...parts, entries: [entryV1(all.v1, other(parts, privateKey))] } };
  };
}

type Entry = Parts['entries'][number];

function entryWith(change: (entry: Entry) => Entry): Case[3] {
  return async (all) => {
    const parts = await loggedV1(all, false);
    return { parts: { ...parts, entries: parts.entries.map(change) } };
  };
}

type Proof = NonNullable<Entry['inclusionProof']>;

function proofWith(change: (proof: Proof) => Partial<Proof>): Case[3] {
  return entryWith(({ inclusionProof, ...entry }) => ({
    ...entry,
    inclusionProof: inclusionProof && { ...inclusionProof, ...change(inclusionProof) },
  }));
}

function promisedAt(milliseconds: number): Case[3] {
  return async (all) => {
    const parts = await signed(all, false);
    const at = new Date(CLOCK.getTime() + milliseconds);
    return { parts: { ...parts, entries: [entryV1(all.v1, parts, { at })] } };
  };
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function byKey({ publicKey, privateKey }: KeyPair, hash: 'sha256' | 'sha384' | 'sha512') {
  return async (all: Authorities) => {
    const parts = await signed(all, false, { key: privateKey, hash });
    const entries = [entryV1(all.v1, parts, { verifier: publicKey })];
    return { parts: { ...parts, entries }, require: { keys: [pemOf(publicKey)] } };
  };
}
