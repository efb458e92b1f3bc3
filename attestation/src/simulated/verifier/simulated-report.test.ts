import { STRICT_POLICY } from '@a3s-box/policies/attestation-policy';
import { describe, expect, it } from 'vitest';
import { appraise } from '../../appraise/appraise.ts';
import { NOW, REPORT_DATA, testGuest, testProcessor } from '../testing/guest.ts';
import { appraiseSimulated } from './appraise-simulated.ts';
import { simulatedEarSubmod } from './ear-submod.ts';
import { SimulatedReport } from './simulated-report.ts';
import { verifySimulated } from './verify-simulated.ts';

function verified(): SimulatedReport {
  const { evidence } = testGuest().report({ reportData: REPORT_DATA });
  return verifySimulated(evidence, testProcessor().roots(), { now: NOW });
}

describe('a simulated report', () => {
  it('marks a verified simulated report as simulated', () => {
    expect(SimulatedReport.is(verified())).toBe(true);
    expect(verified().simulated).toBe(true);
  });

  it('refuses a SimulatedReport that verification did not construct', () => {
    const { claims, checks } = verified();
    const make = () => new SimulatedReport(Symbol('simulated verifier'), claims, checks);
    expect(make).toThrow(TypeError);
    for (const value of [null, undefined, 'report', { ...verified() }]) {
      expect(SimulatedReport.is(value)).toBe(false);
    }
  });

  it('fails a simulated report under a hardware policy, and refuses it as a hardware report', () => {
    const { checks } = appraiseSimulated(verified(), STRICT_POLICY);
    expect(checks).toContainEqual(expect.objectContaining({ code: 'tee', verdict: 'failed' }));
    const real: unknown = verified();
    expect(() => appraise(real as Parameters<typeof appraise>[0], STRICT_POLICY)).toThrow(
      TypeError,
    );
  });

  it('contraindicates a simulated report in a result, and takes its own appraisal alone', () => {
    const report = verified();
    const appraisal = appraiseSimulated(report, STRICT_POLICY);
    expect(simulatedEarSubmod(report, appraisal).status).toBe('contraindicated');
    expect(() => simulatedEarSubmod(verified(), appraisal)).toThrow(RangeError);
    const like = { ...report } as unknown as SimulatedReport;
    expect(() => simulatedEarSubmod(like, appraisal)).toThrow(TypeError);
  });

  it('refuses to appraise as simulated what only looks like a SimulatedReport', () => {
    const { claims, checks } = verified();
    const like: unknown = { claims, checks, simulated: true };
    expect(() => appraiseSimulated(like as SimulatedReport, STRICT_POLICY)).toThrow(TypeError);
  });
});
