/**
 * Image policies and questions for tests, without files.
 *
 * @module
 */
import { createHash, type KeyObject } from 'node:crypto';
import type { TrustMaterial } from '@sigstore/verify';
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Digest } from '../../oci/digest.ts';
import type { LoadedPolicy, PolicyIdentity, PolicyKey, Requirement, Rule } from '../policy.ts';
import type { TrustQuestion } from '../question.ts';

export const REPOSITORY = 'registry.example:5000/team/app';
export const NOW = new Date('2026-11-25T12:00:00Z');

/**
 * With `**` in front of the first rule that holds, whatever the patterns are: matching is tested
 * elsewhere.
 */
export function policyOf(
  rules: readonly Rule[],
  match: LoadedPolicy['match'] = () => (rules.length === 0 ? undefined : 0),
): LoadedPolicy {
  return { source: 'call', path: undefined, digest: digestOf('policy'), rules, match };
}

export function requiring(...require: Requirement[]): LoadedPolicy {
  return policyOf([{ pattern: 'registry.example:5000/team/**', action: 'require', require }]);
}

/** Keys without a log, where nothing else is said. */
export function requirementOf(parts: Partial<Requirement>): Requirement {
  return {
    keys: [],
    identities: [],
    threshold: 1,
    annotations: {},
    attestation: undefined,
    transparencyLog: 'none',
    dockerReference: 'ignore',
    trustMaterial: noMaterial,
    ...parts,
  };
}

async function noMaterial(): Promise<TrustMaterial> {
  throw new Error('this policy has no trusted root');
}

export function keyOf(name: string, key: KeyObject): PolicyKey {
  const der = key.export({ type: 'spki', format: 'der' });
  return { name, key, keyId: createHash('sha256').update(der).digest('hex') };
}

export function identityOf(issuer: string, subject: string): PolicyIdentity {
  return { issuer, matches: (found) => found === subject, text: `${subject} (${issuer})` };
}

export function questionOf(
  manifestDigest: Digest,
  attachments: readonly Attachment[],
  parts: Partial<TrustQuestion> = {},
): TrustQuestion {
  return {
    reference: `${REPOSITORY}:1`,
    repository: REPOSITORY,
    tag: '1',
    manifestDigest,
    indexDigests: [],
    attachments,
    confidential: false,
    ...parts,
  };
}

export function digestOf(content: Buffer | string): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
