import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  APPRAISAL_CHECKS,
  type Appraisal,
  type AppraisalCheck,
  type AppraisalCode,
} from '../appraise/appraisal-checks.ts';
import { appraise } from '../appraise/appraise.ts';
import { readVector } from '../testing/read-vectors.ts';
import { verify } from '../verify/verify.ts';
import { earSubmod, refusedSubmod, simulatedSubmod } from './submod.ts';
import { tierOf } from './tiers.ts';

const { evidence, options } = readVector('hardware/genoa-v5');
const REPORT = verify(evidence, options);
const CODES = Object.keys(APPRAISAL_CHECKS) as AppraisalCode[];
const KEY = Uint8Array.of(1, 2, 3);

/** An appraisal in which every check passes but those named. */
function appraisalOf(named: Partial<Record<AppraisalCode, AppraisalCheck['verdict']>>): Appraisal {
  const checks = CODES.map((code) => {
    return { code, verdict: named[code] ?? 'passed', expected: '', actual: '' };
  });
  const code = checks.find(({ verdict }) => verdict === 'failed')?.code;
  return { accepted: code === undefined, code: code ?? 'accepted', checks };
}

const NOTHING_PINNED = {
  measurement: 'skipped',
  'id-key': 'skipped',
  'author-key': 'skipped',
  'host-data': 'skipped',
  'chip-allow': 'skipped',
  'report-data': 'skipped',
} as const;

describe('what an attestation result says of verified evidence', () => {
  it('affirms what was checked', () => {
    expect(earSubmod(REPORT, appraisalOf({}))).toEqual({
      status: 'affirming',
      vector: {
        'instance-identity': 2,
        configuration: 2,
        executables: 3,
        hardware: 2,
        'runtime-opaque': 2,
      },
    });
  });

  it('claims nothing of chip and configuration, and warns, where the policy pins nothing', () => {
    expect(earSubmod(REPORT, appraisalOf(NOTHING_PINNED))).toEqual({
      status: 'warning',
      vector: { executables: 33, hardware: 2, 'runtime-opaque': 2 },
    });
  });

  it.each(['measurement', 'id-key', 'author-key'] as const)(
    'approves the executables by %s alone',
    (code) => {
      const submod = earSubmod(REPORT, appraisalOf({ ...NOTHING_PINNED, [code]: 'passed' }));
      expect(submod.vector.executables).toBe(3);
    },
  );

  it.each(CODES)('contraindicates by the failed check %s', (code) => {
    const { status, vector } = earSubmod(REPORT, appraisalOf({ [code]: 'failed' }));
    const worst = Object.values(vector).filter((value) => tierOf(value) === 'contraindicated');
    expect([status, worst.length]).toEqual(['contraindicated', 1]);
  });

  it('contraindicates all that evidence could speak for, where it does not verify', () => {
    const { status, vector } = refusedSubmod({ policyIds: ['policy'] });
    expect([status, ...Object.values(vector)]).toEqual(['contraindicated', 99, 99, 99, 99, 99]);
  });

  it('agrees with an appraisal of a report of hardware', () => {
    const report = verify(evidence, { now: options.now });
    const { measurement, hostData, reportData } = report.claims;
    const document = { measurements: [measurement], hostData, crl: { required: false } };
    const policy = parseAttestationPolicy(document);
    const appraisal = appraise(report, policy, { reportData });
    const submod = earSubmod(report, appraisal, { key: KEY });
    expect([appraisal.code, submod.status]).toEqual(['accepted', 'affirming']);
    expect(submod.key).toBe(KEY);
  });

  it('names no key that no check of REPORT_DATA has bound', () => {
    const unbound = [
      appraisalOf({ 'report-data': 'skipped' }),
      appraisalOf({ 'report-data': 'failed' }),
    ];
    for (const appraisal of unbound) {
      expect(() => earSubmod(REPORT, appraisal, { key: KEY })).toThrow(RangeError);
    }
  });

  it('takes no report that verify() did not make', () => {
    const forged = { claims: REPORT.claims, checks: REPORT.checks };
    expect(() => earSubmod(forged as never, appraisalOf({}))).toThrow(TypeError);
  });
});

describe('what an attestation result says, whatever the verdicts', () => {
  const verdicts = fc.dictionary(
    fc.constantFrom(...CODES),
    fc.constantFrom('passed', 'failed', 'skipped' as const),
  );

  it('contraindicates if and only if a check failed', () => {
    fc.assert(
      fc.property(verdicts, (named) => {
        const appraisal = appraisalOf(named as Record<AppraisalCode, AppraisalCheck['verdict']>);
        const { status } = earSubmod(REPORT, appraisal);
        expect(status === 'contraindicated').toBe(!appraisal.accepted);
      }),
    );
  });

  it('affirms nothing of simulated evidence', () => {
    fc.assert(
      fc.property(verdicts, (named) => {
        const appraisal = appraisalOf(named as Record<AppraisalCode, AppraisalCheck['verdict']>);
        const { status, vector } = simulatedSubmod(appraisal, {});
        expect(status).toBe('contraindicated');
        expect(Object.values(vector).map(tierOf)).not.toContain('affirming');
      }),
    );
  });
});
