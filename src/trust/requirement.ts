/**
 * Checks one entry of a rule's `require` against the available signatures.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import type { TrustMaterial } from '@sigstore/verify';
import { type Evidence, isAttestation } from './artifact/evidence.ts';
import { Problem } from './artifact/problem.ts';
import { checkSimpleSigning } from './artifact/simple-signing.ts';
import { checkConditions, checkStatement } from './artifact/statement.ts';
import type { Finding, RequirementResult } from './decision.ts';
import type { Found } from './evidence/attachments.ts';
import type { Requirement } from './policy.ts';
import type { TrustQuestion } from './question.ts';
import type { SharedWork } from './shared-work.ts';
import { findSigner } from './signer/signer.ts';

/** Checks every signature, so that the result covers all of them. Never throws for a bad one. */
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
    // Hashing and verifying block the one thread that serves all clients.
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

/**
 * The subject is checked first, since that costs least and explains most. A signature counts only
 * once every check holds.
 */
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

/** Loaded once, when first needed. With a root that cannot be loaded, no signature counts. */
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
