/**
 * Finds the signer of a signature: one of the policy's keys, or the identity that a certificate was
 * issued to.
 *
 * `@sigstore/verify` checks certificates, their logs and timestamps against the trusted root, with
 * explicit thresholds. This module does the rest: it checks the subject of a transparency log
 * entry, its inclusion in the log, the permitted use of the certificate, and its identity.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { type TrustMaterial, Verifier } from '@sigstore/verify';
import type { Evidence } from '../artifact/evidence.ts';
import { Problem, quoted } from '../artifact/problem.ts';
import type { Signer } from '../decision.ts';
import { identityOfKey, isSignedBy } from '../keys/signer-key.ts';
import { checkLogEntry } from '../log/log-entry.ts';
import { checkInclusion } from '../log/log-inclusion.ts';
import { promisedTime } from '../log/log-promise.ts';
import type { PolicyKey, Requirement } from '../policy.ts';
import { signedTimes, toEntity } from './signed-entity.ts';
import { identityOf, readCertificate } from './signer-certificate.ts';
import { problemOf } from './signer-failure.ts';

export interface FoundSigner {
  readonly signer: Signer;
  /** Equal for one signer under any name. */
  readonly identity: string;
  readonly logIndex?: string;
  readonly logId?: string;
  readonly signedAt?: string;
}

/** @throws Problem where no signer of the requirement made the signature */
export async function findSigner(
  evidence: Evidence,
  requirement: Requirement,
  material: () => Promise<TrustMaterial>,
): Promise<FoundSigner> {
  return evidence.certificate === undefined
    ? await findKey(evidence, requirement, material)
    : await findIdentity(evidence, evidence.certificate, requirement, material);
}

async function findKey(
  evidence: Evidence,
  requirement: Requirement,
  material: () => Promise<TrustMaterial>,
): Promise<FoundSigner> {
  const { keys, transparencyLog } = requirement;
  if (keys.length === 0) {
    throw new Problem('no-certificate', 'it has no certificate that would name its signer');
  }
  const found = await keyThatSigned(keys, evidence);
  if (found === undefined) {
    const names = keys.length === 1 ? quoted(keys[0]?.name ?? '') : `any of ${keys.length} keys`;
    throw new Problem('no-key-matches', `it is not by ${names}`);
  }
  const { name, keyId, key } = found;
  const signer: Signer = { kind: 'key', keyId, name };
  const identity = `key ${identityOfKey(key)}`;
  // Without a log, the other material of the signature is neither needed nor trusted.
  if (transparencyLog === 'none') return { signer, identity };
  checkLogEntries(evidence, key);
  const trusted = { ...(await material()), publicKey: () => always(key) };
  verifyBy(evidence, trusted, { ctlogThreshold: 0, timestampThreshold: 0 });
  return { signer, identity, ...whenAndWhere(evidence) };
}

/** Each key hashes all of what is signed, which has up to 16 MiB. */
async function keyThatSigned(
  keys: readonly PolicyKey[],
  { signed, signature }: Evidence,
): Promise<PolicyKey | undefined> {
  for (const each of keys) {
    await setImmediate();
    if (isSignedBy(each.key, signed, signature)) return each;
  }
  return undefined;
}

async function findIdentity(
  evidence: Evidence,
  certificate: Buffer,
  requirement: Requirement,
  material: () => Promise<TrustMaterial>,
): Promise<FoundSigner> {
  const { identities, transparencyLog } = requirement;
  if (identities.length === 0) {
    throw new Problem('certificate-not-asked-for', 'it is by a certificate, and not by a key');
  }
  readCertificate(certificate);
  const needed = transparencyLog === 'required';
  if (needed || evidence.logEntries.length > 0) checkLogEntries(evidence, undefined);
  const trusted = await material();
  const extensions = verifyBy(evidence, trusted, { ctlogThreshold: 1, timestampThreshold: 1 });
  const certified = identityOf(extensions);
  const { issuer, subject } = certified;
  if (!identities.some((wanted) => wanted.issuer === issuer && wanted.matches(subject) === true)) {
    throw new Problem('other-identity', `it is by ${quoted(subject)} of ${quoted(issuer)}`);
  }
  return {
    signer: { kind: 'identity', issuer, subject },
    identity: `identity ${JSON.stringify([issuer, subject])}`,
    ...whenAndWhere(evidence),
  };
}

function checkLogEntries(evidence: Evidence, key: KeyObject | undefined): void {
  if (evidence.logEntries.length === 0) {
    throw new Problem('log-entry-missing', 'it has no entry in a transparency log');
  }
  for (const entry of evidence.logEntries) checkLogEntry(entry, evidence, key);
}

interface Thresholds {
  readonly ctlogThreshold: number;
  readonly timestampThreshold: number;
}

/** The certificate's extensions. @throws Problem */
function verifyBy(evidence: Evidence, material: TrustMaterial, thresholds: Thresholds) {
  try {
    const verifier = new Verifier(material, { ...thresholds, tlogThreshold: 0 });
    const { identity } = verifier.verify(toEntity(evidence));
    const times = signedTimes(evidence);
    for (const entry of evidence.logEntries) checkInclusion(entry, material, times);
    return identity?.oids ?? [];
  } catch (error) {
    throw problemOf(error, evidence);
  }
}

/** Of evidence that has been verified. */
function whenAndWhere(evidence: Evidence): Pick<FoundSigner, 'logIndex' | 'logId' | 'signedAt'> {
  const [entry] = evidence.logEntries;
  const [stamped] = signedTimes({ ...evidence, logEntries: [] });
  if (entry === undefined) return stamped === undefined ? {} : { signedAt: stamped.toISOString() };
  const promised = promisedTime(entry);
  const at = promised ?? stamped;
  return {
    // Without a promise, only the index in the proof is proven.
    logIndex:
      promised === undefined ? (entry.inclusionProof?.logIndex ?? entry.logIndex) : entry.logIndex,
    logId: entry.logId.keyId.toString('hex'),
    ...(at === undefined ? {} : { signedAt: at.toISOString() }),
  };
}

function always(publicKey: KeyObject) {
  return { publicKey, validFor: () => true };
}
