/**
 * Who made a signature: one of the policy's keys, or the identity that a certificate was issued to.
 *
 * `@sigstore/verify` holds certificates, logs and timestamps against the trusted root, with every
 * threshold given. What it leaves open is done here: which key or certificate an entry of a log is
 * for, what the certificate may be used for, and whom it names.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { type TrustMaterial, Verifier } from '@sigstore/verify';
import type { Signer } from '../decision.ts';
import type { Evidence } from '../evidence/evidence.ts';
import { Problem, quoted } from '../evidence/problem.ts';
import { checkLogEntry } from '../log/log-entry.ts';
import { checkPromise, libraryKnows } from '../log/log-promise.ts';
import type { PolicyKey, Requirement } from '../policy.ts';
import { signedTimes, toEntity } from './signed-entity.ts';
import { identityOf, readCertificate } from './signer-certificate.ts';
import { problemOf } from './signer-failure.ts';
import { identityOfKey, isSignedBy } from './signer-key.ts';

export interface FoundSigner {
  readonly signer: Signer;
  /** The same for one signer under any name. */
  readonly identity: string;
  readonly logIndex?: string;
  readonly logId?: string;
  readonly signedAt?: string;
}

/** @throws Problem where the signature is not by one whom the requirement names */
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
  // Without a log, what else comes with the signature is neither needed nor believed.
  if (transparencyLog === 'none') return { signer, identity };
  checkLogEntries(evidence, key);
  const trusted = { ...(await material()), publicKey: () => always(key) };
  verifyBy(evidence, trusted, { tlogThreshold: 1, ctlogThreshold: 0, timestampThreshold: 0 });
  return { signer, identity, ...whenAndWhere(evidence, trusted) };
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
  const extensions = verifyBy(evidence, trusted, {
    tlogThreshold: needed ? 1 : 0,
    ctlogThreshold: 1,
    timestampThreshold: 1,
  });
  const certified = identityOf(extensions);
  const { issuer, subject } = certified;
  if (!identities.some((wanted) => wanted.issuer === issuer && wanted.matches(subject) === true)) {
    throw new Problem('other-identity', `it is by ${quoted(subject)} of ${quoted(issuer)}`);
  }
  return {
    signer: { kind: 'identity', issuer, subject },
    identity: `identity ${JSON.stringify([issuer, subject])}`,
    ...whenAndWhere(evidence, trusted),
  };
}

function checkLogEntries(evidence: Evidence, key: KeyObject | undefined): void {
  if (evidence.logEntries.length === 0) {
    throw new Problem('log-entry-missing', 'it has no entry in a transparency log');
  }
  for (const entry of evidence.logEntries) checkLogEntry(entry, evidence, key);
}

type Thresholds = Required<
  Pick<
    NonNullable<ConstructorParameters<typeof Verifier>[1]>,
    'tlogThreshold' | 'ctlogThreshold' | 'timestampThreshold'
  >
>;

/** The certificate's extensions. @throws Problem */
function verifyBy(evidence: Evidence, material: TrustMaterial, thresholds: Thresholds) {
  const others = evidence.logEntries.filter((entry) => !libraryKnows(entry));
  for (const entry of others) checkPromise(entry, material);
  try {
    const entity = toEntity(evidence);
    const known = entity.tlogEntries.filter(libraryKnows);
    const options = {
      ...thresholds,
      tlogThreshold: Math.max(0, thresholds.tlogThreshold - others.length),
    };
    // Any log may prove an entry to the library; here it is the one that the entry names.
    const logs = known.length === 0 ? [undefined] : [...new Set(known.map(logOf))];
    const signers = logs.map((log) => {
      const tlogs = material.tlogs.filter(({ logID }) => logID.toString('hex') === log);
      const tlogEntries = known.filter((entry) => logOf(entry) === log);
      return new Verifier({ ...material, tlogs }, options).verify({ ...entity, tlogEntries });
    });
    return signers[0]?.identity?.oids ?? [];
  } catch (error) {
    throw problemOf(error, evidence);
  }
}

function logOf({ logId }: TransparencyLogEntry): string {
  return logId.keyId.toString('hex');
}

/** Of evidence that has been verified. */
function whenAndWhere(
  evidence: Evidence,
  material: TrustMaterial,
): Pick<FoundSigner, 'logIndex' | 'logId' | 'signedAt'> {
  const [entry] = evidence.logEntries;
  const [stamped] = signedTimes({ ...evidence, logEntries: [] });
  if (entry === undefined) return stamped === undefined ? {} : { signedAt: stamped.toISOString() };
  if (!material.tlogs.some(({ logID }) => logID.equals(entry.logId.keyId))) {
    throw new Problem('log-entry-unproven', 'its entry names a log that the trusted root has not');
  }
  const promised = entry.inclusionPromise !== undefined;
  const at = promised ? new Date(Number(entry.integratedTime) * 1000) : stamped;
  return {
    // Where there is no promise, only the index in the proof has been proven.
    logIndex: promised ? entry.logIndex : (entry.inclusionProof?.logIndex ?? entry.logIndex),
    logId: entry.logId.keyId.toString('hex'),
    ...(at === undefined ? {} : { signedAt: at.toISOString() }),
  };
}

function always(publicKey: KeyObject) {
  return { publicKey, validFor: () => true };
}
