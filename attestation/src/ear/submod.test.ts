import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { hostDataOf } from '@a3s-box/policies/host-data';
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
import type { VerifiedReport } from '../verify/verified-report.ts';
import { verify } from '../verify/verify.ts';
import type { EarSubmod } from './ear.ts';
import { signEarJwt } from './sign-ear.ts';
import {
  earSubmod,
  refusedSubmod,
  simulatedSubmod,
  submodOf,
  type Verdicts,
  verdictsOf,
} from './submod.ts';
import { EAR, KEYS } from './testing/tokens.ts';
import { tierOf } from './tiers.ts';

const { evidence, options } = readVector('hardware/genoa-v5');
const REPORT = verify(evidence, { now: options.now });
const CODES = Object.keys(APPRAISAL_CHECKS) as AppraisalCode[];
const KEY = Uint8Array.of(1, 2, 3);
const PLAIN = { hostData: 'ab'.repeat(32) };
const PRIVILEGED = { hostData: hostDataOf(PLAIN.hostData, true) };

/** An appraisal in which every check passes but those named. */
function appraisalOf(named: Named): Appraisal {
  const checks = CODES.map((code) => {
    return { code, verdict: named[code] ?? 'passed', expected: '', actual: '' };
  });
  const code = checks.find(({ verdict }) => verdict === 'failed')?.code;
  return { accepted: code === undefined, code: code ?? 'accepted', checks };
}

type Named = Partial<Record<AppraisalCode, AppraisalCheck['verdict']>>;

const verdictsFor = (named: Named, box = PLAIN): Verdicts =>
  verdictsOf(appraisalOf(named), box, {});

/** A real appraisal of a report, by a policy for it alone; `undated` compares no REPORT_DATA. */
function realAppraisal(report: VerifiedReport, age: 'dated' | 'undated' = 'dated'): Appraisal {
  const { measurement, hostData, reportData } = report.claims;
  const document = { measurements: [measurement], hostData, crl: { required: false } };
  if (age === 'dated') return appraise(report, parseAttestationPolicy(document), { reportData });
  return appraise(report, parseAttestationPolicy({ ...document, reportData: 'any-explicit' }));
}

const NOTHING_PINNED = {
  measurement: 'skipped',
  'id-key': 'skipped',
  'author-key': 'skipped',
  'host-data': 'skipped',
  'launch-spec': 'skipped',
  'chip-allow': 'skipped',
  'report-data': 'skipped',
} as const;

describe('what an attestation result says of verified evidence', () => {
  it('affirms what was checked', () => {
    expect(submodOf(verdictsFor({}))).toEqual({
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
    expect(submodOf(verdictsFor(NOTHING_PINNED))).toEqual({
      status: 'warning',
      vector: { executables: 33, hardware: 2, 'runtime-opaque': 2 },
    });
  });

  it('warns of the configuration of a privileged box that the policy allows', () => {
    const allowed = { privileged: 'skipped' } as const;
    expect(submodOf(verdictsFor(allowed, PRIVILEGED))).toMatchObject({
      status: 'warning',
      vector: { configuration: 32 },
    });
    expect(submodOf(verdictsFor(allowed)).vector.configuration).toBe(2);
    const refused = submodOf(verdictsFor({ privileged: 'failed' }, PRIVILEGED));
    expect(refused.vector.configuration).toBe(96);
    const simulated = simulatedSubmod(appraisalOf(allowed), PRIVILEGED, {});
    expect(simulated.vector.configuration).toBe(32);
  });

  it.each(['host-data', 'launch-spec'] as const)(
    'approves the configuration by %s alone',
    (code) => {
      const submod = submodOf(verdictsFor({ ...NOTHING_PINNED, [code]: 'passed' }));
      expect(submod.vector.configuration).toBe(2);
    },
  );

  it.each(['measurement', 'id-key', 'author-key'] as const)(
    'approves the executables by %s alone',
    (code) => {
      const submod = submodOf(verdictsFor({ ...NOTHING_PINNED, [code]: 'passed' }));
      expect(submod.vector.executables).toBe(3);
    },
  );

  it.each(CODES)('contraindicates by the failed check %s', (code) => {
    const { status, vector } = submodOf(verdictsFor({ [code]: 'failed' }));
    const worst = Object.values(vector).filter((value) => tierOf(value) === 'contraindicated');
    expect([status, worst.length]).toEqual(['contraindicated', 1]);
  });

  it('contraindicates all that evidence could speak for, where it does not verify', () => {
    const { status, vector } = refusedSubmod({ policyIds: ['policy'] });
    expect([status, ...Object.values(vector)]).toEqual(['contraindicated', 99, 99, 99, 99, 99]);
  });

  it('agrees with an appraisal of a report of hardware', () => {
    const submod = earSubmod(REPORT, realAppraisal(REPORT), { key: KEY });
    expect(submod.status).toBe('affirming');
    expect(submod.key).toBe(KEY);
  });

  it('names no key that no check of REPORT_DATA has bound', () => {
    const skipped = realAppraisal(REPORT, 'undated');
    expect(() => earSubmod(REPORT, skipped, { key: KEY })).toThrow(RangeError);
    const details = { key: KEY, failed: ['report-data'] } as const;
    expect(() => earSubmod(REPORT, realAppraisal(REPORT), details)).toThrow(RangeError);
  });

  it('contraindicates by a check that failed outside of the appraisal', () => {
    const submod = earSubmod(REPORT, realAppraisal(REPORT), { failed: ['known-vulnerable'] });
    expect(submod).toMatchObject({ status: 'contraindicated', vector: { executables: 96 } });
  });

  it('takes no report that verify() did not make', () => {
    const forged = { claims: REPORT.claims, checks: REPORT.checks };
    expect(() => earSubmod(forged as never, realAppraisal(REPORT))).toThrow(TypeError);
  });

  it('takes no appraisal but that of its report', () => {
    expect(() => earSubmod(REPORT, appraisalOf({}))).toThrow(TypeError);
    expect(() => earSubmod(REPORT, { ...realAppraisal(REPORT) })).toThrow(TypeError);
    const other = realAppraisal(verify(evidence, { now: options.now }));
    expect(() => earSubmod(REPORT, other)).toThrow(RangeError);
  });

  it('affirms with a nonce only where a check of REPORT_DATA has passed', async () => {
    const signing = async (submod: EarSubmod): Promise<string> =>
      signEarJwt({ ...EAR, submods: new Map([['sev-snp', submod]]) }, { key: KEYS.ES256 });
    const undated = earSubmod(REPORT, realAppraisal(REPORT, 'undated'));
    expect(undated.status).toBe('affirming');
    await expect(signing(undated)).rejects.toThrow(RangeError);
    expect(await signing(earSubmod(REPORT, realAppraisal(REPORT)))).toMatch(/^ey/);
    expect(await signing(refusedSubmod())).toMatch(/^ey/);
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
        const verdictsOfAll = verdictsFor(named as Named);
        const { status } = submodOf(verdictsOfAll);
        expect(status === 'contraindicated').toBe(verdictsOfAll.failed.size > 0);
      }),
    );
  });

  it('affirms nothing of simulated evidence', () => {
    fc.assert(
      fc.property(verdicts, fc.constantFrom(PLAIN, PRIVILEGED), (named, box) => {
        const appraisal = appraisalOf(named as Named);
        const { status, vector } = simulatedSubmod(appraisal, box, {});
        expect(status).toBe('contraindicated');
        expect(Object.values(vector).map(tierOf)).not.toContain('affirming');
      }),
    );
  });
});
