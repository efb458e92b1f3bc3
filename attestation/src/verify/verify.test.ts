import { describe, expect, it } from 'vitest';
import type { Evidence } from '../evidence.ts';
import { readVector, readVectors } from '../testing/read-vectors.ts';
import type { VerifyOptions } from './options.ts';
import { VerificationError } from './trace.ts';
import { VerifiedReport } from './verified-report.ts';
import { verify } from './verify.ts';
import { VERIFY_CHECKS, type VerifyCode } from './verify-checks.ts';
import { verify as verifyOnWebCrypto } from './verify-web.ts';

const genoa = readVector('hardware/genoa-v5');
const turin = readVector('hardware/turin-v5');
const ORDER = Object.keys(VERIFY_CHECKS) as VerifyCode[];

function refusal(evidence: Evidence, options: VerifyOptions = genoa.options): VerificationError {
  try {
    verify(evidence, options);
  } catch (error) {
    if (error instanceof VerificationError) return error;
    throw error;
  }
  throw new Error('the evidence was accepted');
}

function flipped(bytes: Uint8Array, at: number, bit = 0x01): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ bit;
  return copy;
}

/** End offset of a run of fields → the codes with which a changed byte in it may be refused. */
const CODES_OF_FIELD: readonly (readonly [number, readonly VerifyCode[]])[] = [
  [0x004, ['report-version', 'report-reserved', 'report-signature']],
  [0x008, ['report-signature']],
  [0x010, ['report-guest-policy', 'report-signature']],
  [0x030, ['report-signature']],
  [0x034, ['report-vmpl', 'report-signature']],
  [0x038, ['report-signature-algorithm']],
  [0x040, ['report-tcb', 'report-signature']],
  [0x048, ['report-signature']],
  [0x04c, ['report-key-info', 'report-signature']],
  [0x050, ['report-reserved']],
  [0x180, ['report-signature']],
  [0x188, ['report-tcb', 'vek-tcb']],
  [0x18a, ['product', 'report-tcb', 'vek-product', 'report-signature']],
  [0x18b, ['report-signature']],
  [0x1a0, ['report-reserved']],
  [0x1e0, ['vek-chip']],
  [0x1e8, ['report-tcb', 'report-signature']],
  [0x1eb, ['report-signature']],
  [0x1ec, ['report-reserved']],
  [0x1ef, ['report-signature']],
  [0x1f0, ['report-reserved']],
  [0x1f8, ['report-tcb', 'report-signature']],
  [0x208, ['report-signature']],
  [0x2a0, ['report-reserved']],
  [0x4a0, ['report-signature-encoding', 'report-signature']],
];

describe('evidence of real hardware', () => {
  for (const { name, evidence, options, expected } of readVectors('hardware')) {
    it(`verifies the hardware evidence ${name} with the result ${expected.verify}`, async () => {
      if (expected.verify === 'accepted') {
        const verified = verify(evidence, options);
        expect(VerifiedReport.is(verified)).toBe(true);
        const there = await verifyOnWebCrypto(evidence, options);
        expect(there.claims).toEqual(verified.claims);
        expect(there.checks).toEqual(verified.checks);
      } else {
        const error = refusal(evidence, options);
        expect(error.code).toBe(expected.verify);
        await expect(verifyOnWebCrypto(evidence, options)).rejects.toMatchObject({
          code: error.code,
          checks: error.checks,
        });
      }
    });
  }

  it('returns the claims of the report and of its certificate chain', () => {
    const { claims } = verify(genoa.evidence, genoa.options);
    expect(claims).toMatchObject({
      version: 5,
      product: 'Genoa',
      tcbClass: 'genoa',
      vmpl: 0,
      chipMasked: false,
      reportedTcb: { bl: 10, tee: 0, snp: 25, ucode: 84 },
      endorsement: {
        kind: 'VCEK',
        productName: 'Genoa',
        cspId: null,
        hwid: claims.chipId,
        notBefore: '2025-08-07T17:21:41Z',
        notAfter: '2032-08-07T17:21:41Z',
      },
      revocation: {
        number: 4n,
        thisUpdate: '2024-10-23T04:36:24Z',
        nextUpdate: '2025-11-03T01:00:00Z',
        obtainedAt: null,
      },
      verifiedAt: '2025-10-01T00:00:00Z',
    });
  });

  it('returns the time at which the revocation list was obtained', () => {
    const crlObtainedAt = new Date('2025-09-30T12:00:00.250Z');
    const { claims } = verify(genoa.evidence, { ...genoa.options, crlObtainedAt });
    expect(claims.revocation?.obtainedAt).toBe('2025-09-30T12:00:00.250Z');
  });

  it('returns the provider of a VLEK, which names no chip', () => {
    const { evidence, options } = readVector('hardware/milan-vlek-v3');
    const { claims, checks } = verify(evidence, options);
    expect(claims).toMatchObject({
      chipMasked: true,
      endorsement: { kind: 'VLEK', cspId: 'CN=cc-us-east-2.amazonaws.com', hwid: null },
    });
    expect(checks.find(({ code }) => code === 'vek-chip')?.verdict).toBe('skipped');
  });

  it('takes the product of a report without CPUID from its certificate', () => {
    const { evidence, options } = readVector('hardware/milan-debug-v2');
    const { claims, checks } = verify(evidence, options);
    expect(claims).toMatchObject({ product: 'Milan', tcbClass: 'milan', cpuid: null });
    expect(checks.find(({ code }) => code === 'product')?.verdict).toBe('skipped');
  });
});

describe('a report that was changed', () => {
  it('refuses a report with any byte changed, with the code of the changed field', {
    timeout: 120_000,
  }, () => {
    for (const { evidence, options } of [genoa, turin]) {
      for (let at = 0; at < evidence.report.length; at += 1) {
        for (const bit of [0x01, 0x80]) {
          const report = flipped(evidence.report, at, bit);
          const { code } = refusal({ ...evidence, report }, options);
          expect([at, CODES_OF_FIELD.find(([end]) => at < end)?.[1]]).toEqual([
            at,
            expect.arrayContaining([code]),
          ]);
        }
      }
    }
  });

  it.each([
    ['REPORT_DATA', 0x50, 'report-signature'],
    ['MEASUREMENT', 0x90, 'report-signature'],
    ['HOST_DATA', 0xc0, 'report-signature'],
    ['VERSION', 0x00, 'report-version', 0x08],
    ['POLICY', 0x0b, 'report-guest-policy', 0x80],
    ['VMPL', 0x33, 'report-vmpl'],
    ['SIGNATURE_ALGO', 0x34, 'report-signature-algorithm'],
    ['KEY_INFO', 0x4b, 'report-key-info'],
    ['KEY_INFO, the kind of key', 0x48, 'vek-kind', 0x04],
    ['a reserved byte', 0x4c, 'report-reserved'],
    ['CPUID, of another product', 0x189, 'vek-product', 0x10],
    ['CPUID, of an unknown product', 0x188, 'product', 0x80],
    ['REPORTED_TCB', 0x187, 'vek-tcb'],
    ['CHIP_ID', 0x1a0, 'vek-chip'],
    ['SIGNATURE', 0x2a0, 'report-signature'],
    ['padding of the signature', 0x2d0, 'report-signature-encoding'],
  ] as readonly [string, number, VerifyCode, number?][])(
    'refuses a report with a changed field: %s',
    (_, at, code, bit = 0x01) => {
      const report = flipped(genoa.evidence.report, at, bit);
      expect(refusal({ ...genoa.evidence, report }).code).toBe(code);
    },
  );

  it.each([1185, 1183, 0, 793])('refuses a report of %i bytes', (length) => {
    const report = new Uint8Array(length);
    expect(refusal({ ...genoa.evidence, report }).code).toBe('report-length');
  });

  it('refuses a report with R and S exchanged, and with both big-endian', () => {
    const { report } = genoa.evidence;
    const r = report.subarray(0x2a0, 0x2e8);
    const s = report.subarray(0x2e8, 0x330);
    const exchanged = Uint8Array.from(report);
    exchanged.set(s, 0x2a0);
    exchanged.set(r, 0x2e8);
    expect(refusal({ ...genoa.evidence, report: exchanged }).code).toBe('report-signature');
    const bigEndian = Uint8Array.from(report);
    bigEndian.set(Uint8Array.from(r.subarray(0, 48)).reverse(), 0x2a0);
    bigEndian.set(Uint8Array.from(s.subarray(0, 48)).reverse(), 0x2e8);
    expect(refusal({ ...genoa.evidence, report: bigEndian }).code).toBe('report-signature');
  });
});

describe('a certificate that was changed', () => {
  it('refuses an endorsement key certificate with any byte changed', { timeout: 120_000 }, () => {
    const { evidence, options } = genoa;
    const vek = evidence.vek ?? new Uint8Array();
    for (let at = 0; at < vek.length; at += 1) {
      const { code } = refusal({ ...evidence, vek: flipped(vek, at) }, options);
      expect(code).toMatch(/^vek-/);
    }
  });

  it('refuses a report without an endorsement key certificate', () => {
    const error = refusal({ report: genoa.evidence.report });
    expect(error).toMatchObject({ code: 'vek-supplied' });
    expect(error.remedy).toContain('fetch-certs');
  });

  it('refuses an endorsement key certificate of another product, chip or TCB', () => {
    const others = ['turin-v5', 'milan-vlek-v3', 'milan-debug-v2', 'siena-v5'];
    const codes = others.map((name) => {
      const { vek } = readVector(`hardware/${name}`).evidence;
      return refusal({ ...genoa.evidence, vek }, { now: new Date('2026-04-01') }).code;
    });
    expect(codes).toEqual(['vek-product', 'vek-kind', 'vek-product', 'vek-tcb']);
  });
});

describe('the list of checks', () => {
  it('lists every check in order, and those without input as skipped', () => {
    const { checks } = verify(turin.evidence, turin.options);
    expect(checks.map(({ code }) => code)).toEqual(ORDER);
    const skipped = checks.filter(({ verdict }) => verdict === 'skipped').map(({ code }) => code);
    expect(skipped).toEqual([
      'ca-encoding',
      'ca-pinned',
      'ca-signature',
      'crl-encoding',
      'crl-issuer',
      'crl-signature',
      'crl-validity',
      'revocation',
    ]);
  });

  it('lists the failed check, and those behind it as skipped', () => {
    const report = flipped(genoa.evidence.report, 0x1a0);
    const { checks } = refusal({ ...genoa.evidence, report });
    const at = ORDER.indexOf('vek-chip');
    expect(checks[at]).toMatchObject({ code: 'vek-chip', verdict: 'failed' });
    expect(checks[at]?.expected).toHaveLength(128);
    expect(checks.slice(at + 1).map(({ verdict }) => verdict)).toEqual(['skipped']);
    expect(checks.slice(0, at).some(({ verdict }) => verdict === 'failed')).toBe(false);
  });

  it('lists a failed check without values where there is nothing to compare', () => {
    const report = flipped(genoa.evidence.report, 0x50);
    const error = refusal({ ...genoa.evidence, report });
    expect(error.checks.at(-1)).toEqual({ code: 'report-signature', verdict: 'failed' });
    expect(error.message).toBe('Cannot trust the report: the VCEK did not sign it.');
  });

  it('returns a frozen list of checks', () => {
    const { checks } = refusal({ report: genoa.evidence.report });
    expect([checks, ...checks].every(Object.isFrozen)).toBe(true);
  });
});

describe('a verified report', () => {
  it('refuses a VerifiedReport that verification did not construct', () => {
    const verified = verify(genoa.evidence, genoa.options);
    const { claims, checks } = verified;
    expect(() => new VerifiedReport(Symbol('verifier'), claims, checks)).toThrow(TypeError);
    expect(VerifiedReport.is({ claims, checks })).toBe(false);
    expect(VerifiedReport.is(Object.create(VerifiedReport.prototype))).toBe(false);
    expect(VerifiedReport.is(null)).toBe(false);
    expect(VerifiedReport.is(undefined)).toBe(false);
  });

  it('returns a verified report that is deeply frozen', () => {
    const { claims, checks } = verify(genoa.evidence, genoa.options);
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(claims)).toBe(true);
    expect(Object.isFrozen(checks)).toBe(true);
  });

  it('verifies the bytes of the call even when they change afterwards', async () => {
    const { evidence, options } = genoa;
    const report = Uint8Array.from(evidence.report);
    const promise = verifyOnWebCrypto({ ...evidence, report }, options);
    report.fill(0);
    await expect(promise).resolves.toBeInstanceOf(VerifiedReport);
  });
});

describe('a mistake of the caller', () => {
  it.each([
    ['now', { now: new Date('never') }],
    ['now', { now: 5 as unknown as Date }],
    ['crl', { now: new Date(), crl: 'text' as unknown as Uint8Array }],
    ['crlObtainedAt', { now: new Date(), crlObtainedAt: new Date('never') }],
  ])('throws a TypeError that names the invalid option %s', (name, options) => {
    expect(() => verify(genoa.evidence, options)).toThrow(
      new TypeError(
        name === 'crl'
          ? 'crl must be a Uint8Array'
          : `Cannot verify: ${name} must be a valid Date.`,
      ),
    );
  });

  it('throws a TypeError for evidence that is not bytes', () => {
    const report = 'text' as unknown as Uint8Array;
    expect(() => verify({ report }, genoa.options)).toThrow(TypeError);
    const vek = [1, 2] as unknown as Uint8Array;
    expect(() => verify({ ...genoa.evidence, vek }, genoa.options)).toThrow(TypeError);
  });
});
