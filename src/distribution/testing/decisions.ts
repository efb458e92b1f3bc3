/**
 * Policy decisions for tests.
 *
 * @module
 */
import type { TrustDecision } from '../../trust/decision.ts';
import type { TrustQuestion } from '../../trust/question.ts';

export function decisionOf(
  question: TrustQuestion,
  verdict: TrustDecision['verdict'] = 'unsigned',
  reason = 'rule 1 ("**") allows unsigned images',
): TrustDecision {
  const { reference, repository, manifestDigest, indexDigests } = question;
  return {
    verdict,
    at: '2026-01-01T00:00:00.000Z',
    image: { reference, repository, manifestDigest, indexDigests: [...indexDigests] },
    policy: { source: 'built-in', digest: `sha256:${'0'.repeat(64)}` },
    requirements: [],
    reason,
  };
}
