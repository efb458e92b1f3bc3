/**
 * One entry of a rule's `require`, held against the signatures that there are.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import type { TrustMaterial } from '@sigstore/verify';
import type { Finding, RequirementResult } from './decision.ts';
import type { Found } from './evidence/attachments.ts';
import { type Evidence, isAttestation } from './evidence/evidence.ts';
import { Problem } from './evidence/problem.ts';
import { checkSimpleSigning } from './evidence/simple-signing.ts';
import { checkConditions, checkStatement } from './evidence/statement.ts';
import type { Requirement } from './policy.ts';
import type { TrustQuestion } from './question.ts';
import type { SharedWork } from './shared-work.ts';
import { findSigner } from './signer/signer.ts';

/** Looks at every signature, so that the result tells of all of them. Never throws for one. */
export async function checkRequirement(
  requirement: Requirement,
  index: number,
  found: readonly Found[],
  question: TrustQuestion,
  work: SharedWork,
): Promise<RequirementResult> {
  const signers = new Set<string>();
  const findings: Finding[] = [];
  for (const one of found) {
    // Hashing and verifying is work of the one thread that serves everybody.
    await setImmediate();
    if ('unreadable' in one) {
      if (isWanted(one.kind, requirement)) findings.push(one.unreadable);
      continue;
    }
    const { evidence } = one;
    if (!isWanted(isAttestation(evidence) ? 'attestation' : 'signature', requirement)) continue;
    const { finding, identity } = await examine(evidence, requirement, question, work);
    findings.push(finding);
    if (identity !== undefined) signers.add(identity);
  }
  const { threshold } = requirement;
  const met = threshold >= 1 && signers.size >= threshold;
  return { index, met, signers: signers.size, threshold, findings };
}

function isWanted(kind: 'signature' | 'attestation' | 'any', requirement: Requirement): boolean {
  return kind === 'any' || (kind === 'attestation') === (requirement.attestation !== undefined);
}

interface Examined {
  readonly finding: Finding;
  /** Of the signer, where the signature counts. */
  readonly identity?: string;
}

/** What it is for comes first, as that costs least and explains most; nothing counts before all of it holds. */
async function examine(
  evidence: Evidence,
  requirement: Requirement,
  question: TrustQuestion,
  work: SharedWork,
): Promise<Examined> {
  const { artifact, subject, format, claim } = evidence;
  const described = {
    artifact,
    subject,
    format,
    ...(claim.kind === 'statement' ? { predicateType: claim.statement.predicateType } : {}),
  };
  try {
    if (claim.kind === 'simple-signing') {
      checkSimpleSigning(claim.payload, subject, requirement, question);
    } else {
      checkStatement(claim.statement, subject, requirement);
    }
    const { identity, ...signed } = await findSigner(evidence, requirement, () =>
      materialOf(requirement, work),
    );
    if (claim.kind === 'statement') {
      await checkConditions(claim.statement, requirement, work.conditionTime);
    }
    return { finding: { ...described, accepted: true, ...signed }, identity };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { code, message } = error;
    return { finding: { ...described, accepted: false, problem: { code, message } } };
  }
}

/** Loaded when it is first needed, and then no more; a root that cannot be had proves nothing. */
async function materialOf(
  { trustMaterial }: Requirement,
  work: SharedWork,
): Promise<TrustMaterial> {
  try {
    return await work.material(trustMaterial);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Problem('trusted-root-unavailable', `the trusted root cannot be used: ${reason}`);
  }
}
