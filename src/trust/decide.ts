/**
 * Decides about an image: by manifest digest, from the artifacts beside it, under a policy.
 *
 * The result depends on the arguments alone, apart from the wait for a trusted root. A signature of
 * an index covers the manifests that the index lists; the caller has checked that it lists this
 * one.
 *
 * @module
 */

import type { RequirementResult, TrustDecision } from './decision.ts';
import type { Found } from './evidence/attachments.ts';
import type { LoadedPolicy, Rule } from './policy.ts';
import type { TrustQuestion } from './question.ts';
import { allowed, denied, noRule, notConfidential, ruleName, signed, unmet } from './reason.ts';
import { SharedWork } from './shared-work.ts';

/**
 * Whether an image may run. The first rule that matches decides, and without one it may not.
 *
 * @param now time of the decision; signatures are checked against the time at which they were made
 * @param work the work that it shares with other decisions about the image
 */
export async function decideTrust(
  question: TrustQuestion,
  policy: LoadedPolicy,
  now: Date,
  work = new SharedWork(),
): Promise<TrustDecision> {
  const index = policy.match(question.repository);
  const rule = index === undefined ? undefined : policy.rules[index];
  const { verdict, requirements, reason } =
    index === undefined || rule === undefined
      ? { verdict: 'refused' as const, requirements: [], reason: noRule(question.repository) }
      : await applyRule(rule, ruleName(index, rule), question, work);
  const { reference, repository, manifestDigest, indexDigests } = question;
  return {
    verdict,
    at: now.toISOString(),
    image: { reference, repository, manifestDigest, indexDigests: [...indexDigests] },
    policy: {
      source: policy.source,
      ...(policy.path === undefined ? {} : { path: policy.path }),
      digest: policy.digest,
    },
    ...(index === undefined || rule === undefined
      ? {}
      : { rule: { index, pattern: rule.pattern, action: rule.action } }),
    requirements,
    reason,
  };
}

interface Outcome {
  readonly verdict: TrustDecision['verdict'];
  readonly requirements: RequirementResult[];
  readonly reason: string;
}

async function applyRule(
  rule: Rule,
  name: string,
  question: TrustQuestion,
  work: SharedWork,
): Promise<Outcome> {
  switch (rule.action) {
    case 'deny':
      return { verdict: 'refused', requirements: [], reason: denied(name, rule.reason) };
    case 'allowUnsigned': {
      if (question.confidential && rule.confidential !== true) {
        return { verdict: 'refused', requirements: [], reason: notConfidential(name) };
      }
      const found = await work.found(question, read);
      return { verdict: 'unsigned', requirements: [], reason: allowed(name, found.length) };
    }
    case 'require':
      return await require(rule, name, question, work);
  }
}

async function require(
  rule: Rule & { readonly action: 'require' },
  name: string,
  question: TrustQuestion,
  work: SharedWork,
): Promise<Outcome> {
  const found = await work.found(question, read);
  const { checkRequirement } = await import('./requirement.ts');
  const requirements: RequirementResult[] = [];
  let failure: string | undefined;
  for (const [index, requirement] of rule.require.entries()) {
    const result = await checkRequirement(requirement, index, found, question, work);
    requirements.push(result);
    if (!result.met) failure ??= unmet(name, requirement, result);
  }
  // An empty list of requirements would hold trivially, and must not allow an image to run.
  if (requirements.length === 0) failure = `${name} requires nothing that could hold`;
  return failure === undefined
    ? { verdict: 'signed', requirements, reason: signed(name, requirements) }
    : { verdict: 'refused', requirements, reason: failure };
}

/**
 * The code that verifies signatures is loaded with the first signature: most of the time it is not
 * needed.
 */
async function read(question: TrustQuestion): Promise<readonly Found[]> {
  if (question.attachments.length === 0) return [];
  const { readAttachments } = await import('./evidence/attachments.ts');
  return await readAttachments(question);
}
