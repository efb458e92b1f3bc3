import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { describe, expect, it } from 'vitest';
import { readVector } from '../testing/read-vectors.ts';
import { VerifiedReport } from '../verify/verified-report.ts';
import { verify } from '../verify/verify.ts';
import { appraise } from './appraise.ts';

const { evidence, options } = readVector('hardware/genoa-v5');
const verified = verify(evidence, { ...options, crlObtainedAt: options.now });
const { measurement, hostData, reportData } = verified.claims;
const policy = parseAttestationPolicy({ measurements: [measurement], hostData });

describe('appraise', () => {
  it('accepts a hardware report that satisfies the policy', () => {
    const { accepted, code, checks } = appraise(verified, policy, { reportData });
    expect([accepted, code]).toEqual([true, 'accepted']);
    expect(checks.filter(({ verdict }) => verdict === 'failed')).toEqual([]);
  });

  it('rejects a report where neither policy nor caller names REPORT_DATA', () => {
    expect(appraise(verified, policy)).toMatchObject({ accepted: false, code: 'report-data' });
  });

  it('rejects a hardware report under a policy for the simulated processor', () => {
    const simulated = parseAttestationPolicy({ ...policy, tee: 'simulated' });
    const { accepted, code } = appraise(verified, simulated, { reportData });
    expect([accepted, code]).toEqual([false, 'tee']);
  });

  it('refuses an object that verification did not return', () => {
    const { claims, checks } = verified;
    for (const other of [{ claims, checks }, Object.create(VerifiedReport.prototype), null]) {
      expect(() => appraise(other as VerifiedReport, policy, { reportData })).toThrow(
        new TypeError('Cannot appraise: the report must be one that verify() gave.'),
      );
    }
  });
});
