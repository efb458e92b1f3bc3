import { expect, it } from 'vitest';
import { type Finding, TrustDecision } from '../../trust/decision.ts';
import { trustRecord } from './trust-record.ts';

const finding = (accepted: boolean, message = 'm'): Finding => ({
  artifact: `sha256:${'a'.repeat(64)}`,
  subject: `sha256:${'b'.repeat(64)}`,
  format: 'cosign',
  accepted,
  problem: { code: 'c', message },
});

function decision(findings: readonly Finding[]): TrustDecision {
  const requirement = { index: 0, met: true, signers: 1, threshold: 1 };
  return {
    verdict: 'signed',
    at: '2026-01-01T00:00:00.000Z',
    image: { reference: 'r', repository: 'p', manifestDigest: 'd', indexDigests: [] },
    policy: { source: 'built-in', digest: 'd' },
    requirements: [{ ...requirement, findings: [...findings] }],
    reason: 'it is signed',
  };
}

it('records a small trust decision unchanged', () => {
  const whole = decision([finding(true), finding(false)]);
  expect(trustRecord(whole)).toEqual(whole);
});

it('keeps the accepted findings when a decision is too large for its record', () => {
  const many = decision([
    ...Array.from({ length: 500 }, () => finding(false, 'x'.repeat(100_000))),
    finding(true),
  ]);
  const kept = TrustDecision.parse(trustRecord(many));
  expect(kept.requirements[0]?.findings).toHaveLength(16);
  expect(kept.requirements[0]?.findings[0]?.accepted).toBe(true);
  expect(JSON.stringify(kept).length).toBeLessThan(32 * 1024);
});
