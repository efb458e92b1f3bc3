import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { describe, expect, it } from 'vitest';
import type { AppraisalCode } from '../../appraise/appraisal-checks.ts';
import { AttestationError } from '../../errors.ts';
import type { VerifyCode } from '../../verify/verify-checks.ts';
import { LAUNCH, NOW, REPORT_DATA, testProcessor } from '../testing/guest.ts';
import { appraiseSimulated } from '../verifier/appraise-simulated.ts';
import { verifySimulated } from '../verifier/verify-simulated.ts';
import { MISBEHAVIOURS, type Misbehaviour } from './misbehaviour.ts';
import type { SimulatedModelName } from './models.ts';
import type { SimulatedProcessorOptions } from './processor.ts';

type Verdict = VerifyCode | readonly AppraisalCode[];

/**
 * The verdict on each misbehaviour: the check that fails verification, or those that fail
 * appraisal. None where only a VLEK shows the misbehaviour, or only a policy that checks the date
 * of the list.
 */
const FOUND_OUT: Readonly<Record<Misbehaviour, Verdict>> = {
  'old-tcb': ['tcb-reported', 'tcb-launch', 'tcb-committed'],
  'old-reported-tcb': ['tcb-reported'],
  'old-launch-tcb': ['tcb-launch'],
  'old-committed-tcb': ['tcb-committed', 'provisional-firmware'],
  'provisional-firmware': ['provisional-firmware'],
  'reported-above-current': ['tcb-order'],
  'committed-above-current': ['tcb-order', 'provisional-firmware'],
  'old-firmware': ['firmware-version'],
  'no-mitigations': ['mitigations-launch', 'mitigations-current'],
  'no-mitigations-at-launch': ['mitigations-launch'],
  debug: ['debug'],
  'migration-agent-allowed': ['migration-agent'],
  'migration-agent': ['migration-agent'],
  'cxl-allowed': ['cxl'],
  'smt-on': ['smt'],
  'no-ecc': ['ecc'],
  'no-alias-check': ['alias-check'],
  'tio-on': ['tio', 'platform-info'],
  'unknown-platform-bits': ['platform-info'],
  'vmpl-1': ['vmpl'],
  'host-request': 'report-vmpl',
  'masked-chip': ['chip-masked'],
  'hidden-chip': 'vek-chip',
  'other-chip': 'vek-chip',
  'other-measurement': ['measurement'],
  'other-host-data': ['host-data'],
  'other-report-data': ['report-data'],
  'unknown-processor': 'product',
  'unknown-version': 'report-version',
  'unsigned-report': 'report-key-info',
  'unknown-signature-algorithm': 'report-signature-algorithm',
  'reserved-bits': 'report-reserved',
  'forged-measurement': 'report-signature',
  'forged-signature': 'report-signature',
  'wrong-hwid': 'vek-chip',
  'wrong-certificate-tcb': 'vek-tcb',
  'wrong-product-name': 'vek-product',
  'other-csp': [],
  'wrong-kind': 'vek-kind',
  'expired-vek': 'vek-validity',
  'future-vek': 'vek-validity',
  'stale-crl': 'crl-validity',
  'old-crl': [],
  'future-crl': 'crl-validity',
  'rolled-back-crl': ['crl-number'],
  'revoked-ask': 'revocation',
  'revoked-asvk': [],
};

/** The verdicts that differ under a VLEK, which the policy does not allow. */
const OF_A_VLEK: Readonly<Partial<Record<Misbehaviour, Verdict>>> = {
  'hidden-chip': ['signing-key', 'csp-id', 'chip-masked'],
  'wrong-hwid': ['signing-key', 'csp-id'],
  'wrong-kind': 'vek-kind',
  'other-csp': ['signing-key', 'csp-id'],
  'expired-vek': 'vek-validity',
  'revoked-ask': ['signing-key', 'csp-id'],
  'revoked-asvk': 'revocation',
};

function found(options: SimulatedProcessorOptions, signingKey: 'VCEK' | 'VLEK'): Verdict {
  const processor = testProcessor(options);
  // The guest policy forbids SMT, so that a platform with SMT fails.
  const guest = testProcessor().launch({ ...LAUNCH, policy: 0x20000n });
  const { evidence } = processor
    .launch({ ...LAUNCH, policy: 0x20000n })
    .report({ reportData: REPORT_DATA, signingKey });
  const policy = parseAttestationPolicy({
    tee: 'simulated',
    allowSmt: false,
    requireEcc: true,
    minMitigationVector: '0x1',
    measurements: [guest.measurement],
    hostData: 'da'.repeat(32),
    crl: { minNumber: { Milan: 2, Genoa: 2, Turin: 2 } },
  });
  try {
    const report = verifySimulated(evidence, testProcessor().roots(), {
      now: NOW,
      crl: processor.crl(),
      crlObtainedAt: NOW,
    });
    const { checks } = appraiseSimulated(report, policy, { reportData: REPORT_DATA });
    return checks.filter(({ verdict }) => verdict === 'failed').map(({ code }) => code);
  } catch (error) {
    if (error instanceof AttestationError) return error.code as VerifyCode;
    throw error;
  }
}

const entries = Object.entries(FOUND_OUT) as [Misbehaviour, Verdict][];

describe('misbehaviour', () => {
  it('documents each misbehaviour with a sentence', () => {
    expect(Object.keys(MISBEHAVIOURS)).toEqual(Object.keys(FOUND_OUT));
    for (const says of Object.values(MISBEHAVIOURS)) expect(says).toMatch(/^[A-Z].*[.]$/);
  });

  it('finds no misbehaviour of a correct simulated processor', () => {
    expect(found({}, 'VCEK')).toEqual([]);
    expect(found({}, 'VLEK')).toEqual(['signing-key', 'csp-id']);
  });

  it.each(entries)('detects the misbehaviour %s with the result %j', (name, verdict) => {
    expect(found({ misbehave: [name] }, 'VCEK')).toEqual(verdict);
  });

  it.each(Object.entries(OF_A_VLEK) as [Misbehaviour, Verdict][])(
    'detects the misbehaviour %s under a VLEK with the result %j',
    (name, verdict) => {
      expect(found({ misbehave: [name] }, 'VLEK')).toEqual(verdict);
    },
  );

  it.each(['Genoa', 'Bergamo', 'Turin'] as SimulatedModelName[])(
    'detects every misbehaviour on a %s',
    (model) => {
      const turin = { 'tio-on': ['tio'] };
      for (const [name, verdict] of entries) {
        const expected = model === 'Turin' ? { ...FOUND_OUT, ...turin }[name] : verdict;
        expect(found({ model, misbehave: [name] }, 'VCEK'), name).toEqual(expected);
      }
    },
  );

  it('ignores a misbehaviour in a field that a version 3 report does not have', () => {
    const none = found({ reportVersion: 3 }, 'VCEK');
    expect(found({ reportVersion: 3, misbehave: ['no-mitigations'] }, 'VCEK')).toEqual(none);
    expect(found({ reportVersion: 3, misbehave: ['no-mitigations-at-launch'] }, 'VCEK')).toEqual(
      none,
    );
  });

  it('reports several misbehaviours together, and stops verification at the first', () => {
    expect(found({ misbehave: ['vmpl-1', 'debug', 'cxl-allowed'] }, 'VCEK')).toEqual([
      'debug',
      'vmpl',
      'cxl',
    ]);
    expect(found({ misbehave: ['forged-signature', 'wrong-hwid', 'debug'] }, 'VCEK')).toBe(
      'vek-chip',
    );
  });
});
