/**
 * Decides whether a guest gets a resource. Nothing is permitted that no grant permits.
 *
 * @module
 */

import type { Grant, ReleasePolicy } from '../record/documents.ts';
import { matchesPattern } from '../record/resource-path.ts';
import { appraiseEvidence, type VerifiedEvidence } from './evidence.ts';

/** What a tenant permits, at one moment. */
export interface Permissions {
  readonly grants: ReadonlyMap<string, Pick<Grant, 'path' | 'policy'>>;
  /** Of the policies that exist; called for those that a grant names. */
  readonly policy: (name: string) => ReleasePolicy | 'broken' | undefined;
  readonly isRevoked: (kind: 'grant' | 'policy', name: string) => boolean;
}

export interface Proof {
  readonly evidence: VerifiedEvidence;
  /** REPORT_DATA as the session requires it. */
  readonly reportData: Uint8Array;
}

export type Decision =
  | { readonly released: true; readonly grant: string; readonly policy: string }
  | { readonly released: false; readonly check: string };

/**
 * The first grant, by name, that covers the path and whose policy accepts the evidence.
 *
 * @param path undefined: whether there is any resource that the guest may have
 */
export function decide(
  { evidence, reportData }: Proof,
  { grants, policy, isRevoked }: Permissions,
  path?: string,
): Decision {
  let check: string | undefined;
  const verdicts = new Map<string, string | undefined>();
  for (const [name, grant] of grants) {
    if (path !== undefined && !matchesPattern(grant.path, path)) continue;
    if (isRevoked('grant', name)) {
      check ??= `grant ${name}: revoked`;
      continue;
    }
    if (!verdicts.has(grant.policy)) {
      verdicts.set(grant.policy, refusalOf(grant.policy));
    }
    const refusal = verdicts.get(grant.policy);
    if (refusal === undefined) return { released: true, grant: name, policy: grant.policy };
    check ??= refusal;
  }
  return { released: false, check: check ?? 'no grant' };

  function refusalOf(name: string): string | undefined {
    const found = policy(name);
    if (isRevoked('policy', name)) return `policy ${name}: revoked`;
    if (found === undefined) return `policy ${name}: it does not exist`;
    if (found === 'broken') return `policy ${name}: record-broken`;
    if (evidence.tee === 'a3s-simulated' && !found.allowSimulated) {
      return `policy ${name}: simulated`;
    }
    const { accepted, code } = appraiseEvidence(evidence, found.attestation, reportData);
    return accepted ? undefined : `policy ${name}: ${code}`;
  }
}
