import { parseAttestationPolicy, STRICT_POLICY } from '@a3s-box/policies/attestation-policy';
import { hostDataOf } from '@a3s-box/policies/host-data';
import { KNOWN_VULNERABLE } from '@a3s-box/policies/known-vulnerable';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Claims } from '../verify/verified-claims.ts';
import { APPRAISAL_CHECKS, type Appraisal, type AppraisalCode } from './appraisal-checks.ts';
import { appraiseClaims } from './appraise-claims.ts';
import {
  appraisalOf,
  CHIP,
  failuresOf,
  KEY_DIGEST,
  MASKED,
  MILAN,
  REPORT_DATA,
  type Specimen,
  TURIN,
} from './testing/specimen.ts';

const CODES = Object.keys(APPRAISAL_CHECKS) as AppraisalCode[];

/** A policy that requires everything a policy can require. */
const DEMANDING = {
  engines: ['krun'],
  products: ['Genoa'],
  vmpl: 0,
  allowSmt: false,
  requireSingleSocket: true,
  requireCiphertextHiding: true,
  requireRaplDisabled: true,
  requireEcc: true,
  requireIommuWriteSafe: true,
  requirePageSwapDisabled: true,
  requireMemoryAes256Xts: true,
  minTcb: {},
  minFirmware: '1.56',
  minMitigationVector: 1,
  chipAllow: [],
  chipDeny: [CHIP],
  measurements: ['ee'.repeat(48)],
  idKeyDigests: [],
  authorKeyDigests: [],
  requireIdBlock: true,
  minGuestSvn: 1,
  familyIds: [],
  imageIds: [],
  hostData: 'ee'.repeat(32),
  crl: { minNumber: { Turin: 9 } },
};

/** A guest that fails every check that can fail together. */
const WORST: Specimen = {
  tee: 'simulated',
  base: TURIN,
  claims: {
    version: 2,
    policy: { ...MILAN.policy, debug: true, migrateMa: true, cxlAllow: true },
    platformInfo: { ...MILAN.platformInfo, raw: 0xff5n, eccEn: false, tioEn: true },
    vmpl: 1,
    currentTcb: { fmc: 0, bl: 0, tee: 0, snp: 0, ucode: 0 },
    keyInfo: { authorKeyEn: false, maskChipKey: true, signingKey: 'VLEK' },
    chipMasked: true,
    endorsement: MASKED.endorsement,
    revocation: MILAN.revocation && { ...MILAN.revocation, obtainedAt: '2020-01-01T00:00:00Z' },
    launchMitVector: 0n,
    currentMitVector: 0n,
    hostData: hostDataOf('9c'.repeat(32), true),
    measurement: KNOWN_VULNERABLE.entries.find(({ kind }) => kind === 'launch')?.digest ?? '',
  },
  policy: DEMANDING,
  expected: {},
};

function verdicts({ checks }: Appraisal): readonly string[] {
  return checks.map(({ verdict }) => verdict);
}

describe('appraiseClaims', () => {
  it.each([
    ['Milan', MILAN],
    ['Turin', TURIN],
  ])('accepts a %s guest that satisfies the policy', (_, base) => {
    const appraisal = appraisalOf({ base });
    expect(appraisal.accepted).toBe(true);
    expect(appraisal.code).toBe('accepted');
  });

  it('lists every check once, in the order of their table', () => {
    expect(appraisalOf().checks.map(({ code }) => code)).toEqual(CODES);
    expect(appraisalOf(WORST).checks.map(({ code }) => code)).toEqual(CODES);
  });

  it('reports every failed check, and the first as the code of the verdict', () => {
    const appraisal = appraisalOf(WORST);
    // No guest is both one of libkrun and not, no revocation list both missing and too old.
    expect(appraisal.checks.filter(({ verdict }) => verdict !== 'failed')).toMatchObject([
      { code: 'launch-spec', verdict: 'skipped' },
      { code: 'crl-required', verdict: 'passed' },
    ]);
    expect(appraisal).toMatchObject({ accepted: false, code: 'tee' });
  });

  it('rejects every guest under the strict policy, which names no expected values', () => {
    const appraisal = appraiseClaims('sev-snp', MILAN, STRICT_POLICY, { reportData: REPORT_DATA });
    expect(appraisal.code).toBe('measurement');
    const failed = appraisal.checks.filter(({ verdict }) => verdict === 'failed');
    expect(failed.map(({ code }) => code)).toEqual(['measurement', 'host-data']);
  });

  it('returns a frozen appraisal', () => {
    const appraisal = appraisalOf();
    expect(Object.isFrozen(appraisal)).toBe(true);
    expect(Object.isFrozen(appraisal.checks)).toBe(true);
    expect(appraisal.checks.every((check) => Object.isFrozen(check))).toBe(true);
  });

  it('refuses a policy that parseAttestationPolicy() did not return', () => {
    const appraise = () => appraiseClaims('sev-snp', MILAN, { ...STRICT_POLICY }, {});
    expect(appraise).toThrow(TypeError);
    expect(appraise).toThrow(
      'Cannot appraise: the policy must be one that parseAttestationPolicy() gave.',
    );
  });

  it.each([
    ['63 bytes', new Uint8Array(63)],
    ['65 bytes', new Uint8Array(65)],
    ['too few digits', REPORT_DATA.slice(2)],
    ['characters that are no digits', `${REPORT_DATA.slice(1)}g`],
    ['nothing', ''],
  ])('refuses expected report data of %s', (_, reportData) => {
    const appraise = () => appraisalOf({ expected: { reportData } });
    expect(appraise).toThrow(RangeError);
    expect(appraise).toThrow('Cannot appraise: the expected report data must be 64 bytes.');
  });
});

describe('what hosts of the field report', () => {
  const AZURE: Partial<Claims> = {
    version: 2,
    cpuid: null,
    currentTcb: { bl: 3, tee: 0, snp: 8, ucode: 206 },
    committedTcb: { bl: 3, tee: 0, snp: 8, ucode: 115 },
    reportedTcb: { bl: 3, tee: 0, snp: 8, ucode: 115 },
    launchTcb: { bl: 3, tee: 0, snp: 8, ucode: 115 },
    currentVersion: { major: 1, minor: 52, build: 4 },
    committedVersion: { major: 1, minor: 52, build: 4 },
    platformInfo: {
      ...MILAN.platformInfo,
      raw: 1n,
      eccEn: false,
      aliasCheckComplete: false,
    },
    guestSvn: 4,
    idKeyDigest: KEY_DIGEST,
  };

  it('fails old Azure firmware that is also provisional', () => {
    expect(failuresOf({ claims: AZURE })).toEqual([
      'allowed-version',
      'alias-check',
      'tcb-reported',
      'tcb-launch',
      'tcb-committed',
      'provisional-firmware',
      'firmware-version',
    ]);
  });

  it('fails a host that reports an older TCB than it runs', () => {
    const older = { bl: 4, tee: 0, snp: 23, ucode: 213 };
    const newer = { bl: 4, tee: 0, snp: 24, ucode: 213 };
    const claims = {
      reportedTcb: older,
      currentTcb: newer,
      committedTcb: newer,
      launchTcb: newer,
    };
    expect(failuresOf({ claims })).toEqual(['tcb-reported']);
    const policy = { minTcb: { milan: older }, minLaunchTcb: { milan: newer } };
    expect(failuresOf({ claims, policy })).toEqual([]);
  });
});

describe('whatever the claims are', () => {
  const anyTcb = fc.oneof(
    fc.record({ bl: fc.nat(255), tee: fc.nat(255), snp: fc.nat(255), ucode: fc.nat(255) }),
    fc.constantFrom(MILAN.currentTcb, TURIN.currentTcb),
  );
  const anyHex = (bytes: number) =>
    fc
      .uint8Array({ minLength: bytes, maxLength: bytes })
      .map((array) => Array.from(array, (byte) => byte.toString(16).padStart(2, '0')).join(''));
  const anyFlags = <Flags extends object>(flags: Flags): fc.Arbitrary<Flags> =>
    fc.infiniteStream(fc.boolean()).map((stream) => {
      const changed = Object.entries(flags).map(([key, value]) => [
        key,
        typeof value === 'boolean' ? stream.next().value : value,
      ]);
      return Object.fromEntries(changed) as Flags;
    });
  const anyVersion = fc.record({ major: fc.nat(2), minor: fc.nat(60), build: fc.nat(60) });
  const changes: fc.Arbitrary<Partial<Claims>> = fc.record(
    {
      version: fc.integer({ min: 2, max: 5 }),
      guestSvn: fc.nat(),
      policy: anyFlags(MILAN.policy),
      platformInfo: fc
        .tuple(anyFlags(MILAN.platformInfo), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
        .map(([flags, raw]) => ({ ...flags, raw })),
      keyInfo: anyFlags(MILAN.keyInfo),
      vmpl: fc.nat(3),
      currentTcb: anyTcb,
      reportedTcb: anyTcb,
      committedTcb: anyTcb,
      launchTcb: anyTcb,
      currentVersion: anyVersion,
      committedVersion: anyVersion,
      chipId: anyHex(64),
      chipMasked: fc.boolean(),
      measurement: anyHex(48),
      idKeyDigest: anyHex(48),
      hostData: anyHex(32),
      reportIdMa: anyHex(32),
      launchMitVector: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
      endorsement: fc.constantFrom(MILAN.endorsement, MASKED.endorsement, TURIN.endorsement),
      revocation: fc.constantFrom(MILAN.revocation, null),
      verifiedAt: fc.oneof(fc.string(), fc.constant(MILAN.verifiedAt)),
    },
    { requiredKeys: [] },
  );
  const specimens = fc.record({
    base: fc.constantFrom(MILAN, TURIN, MASKED),
    claims: changes,
    policy: fc.constantFrom({}, DEMANDING, { requireAliasCheck: false, crl: { required: false } }),
  });

  it(
    'gives a verdict on every check, and accepts if and only if none failed',
    async () => {
      await fuzz(
        fc.property(specimens, (specimen) => {
          const appraisal = appraisalOf(specimen);
          expect(appraisal.checks).toHaveLength(CODES.length);
          expect(appraisal.accepted).toBe(!verdicts(appraisal).includes('failed'));
          expect(appraisal.code).toBe(failuresOf(specimen)[0] ?? 'accepted');
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it(
    'rejects under every policy what it rejects under a weaker one',
    async () => {
      const lenient = { allowMaskedChip: true, crl: { required: false } };
      await fuzz(
        fc.property(specimens, (specimen) => {
          const less = failuresOf({ ...specimen, policy: lenient });
          const more = failuresOf({ ...specimen, policy: {} });
          expect(more).toEqual(expect.arrayContaining([...less]));
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it('returns the same verdict for the same claims and policy', () => {
    const policy = parseAttestationPolicy({ measurements: [MILAN.measurement] });
    const first = appraiseClaims('sev-snp', MILAN, policy, {});
    appraiseClaims('simulated', TURIN, policy, {});
    expect(appraiseClaims('sev-snp', MILAN, policy, {})).toEqual(first);
  });
});
