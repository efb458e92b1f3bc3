import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../hex.ts';
import { decodeGuestPolicy, POLICY_MUST_BE_ONE } from './guest-policy.ts';
import { parseReport } from './parse.ts';
import { signatureOf, unverifiedClaims } from './parsed-report.ts';
import { decodePlatformInfo } from './platform-info.ts';
import { PRODUCT_MODELS } from './product.ts';
import type { ReportClaims } from './report-claims.ts';
import { serializeReport } from './serialize.ts';
import type { Tcb } from './tcb.ts';
import { claimsOfVersion, SAMPLE_CLAIMS, SAMPLE_SIGNATURE } from './testing/sample.ts';

const byte = fc.nat(255);
const uint32 = fc.nat(0xffff_ffff);
const uint64 = fc.bigInt(0n, 0xffff_ffff_ffff_ffffn);

function hex(size: number): fc.Arbitrary<string> {
  return fc.uint8Array({ minLength: size, maxLength: size }).map(toHex);
}

/** Claims of any report version and product. */
const claims: fc.Arbitrary<ReportClaims> = fc
  .record({ version: fc.constantFrom(2, 3, 4, 5), models: fc.constantFrom(...PRODUCT_MODELS) })
  .chain(({ version, models }) => {
    const turin = version > 2 && models.product === 'Turin';
    const components = { bl: byte, tee: byte, snp: byte, ucode: byte };
    const tcb: fc.Arbitrary<Tcb> = turin
      ? fc.record({ fmc: byte, ...components })
      : fc.record(components);
    const firmware = fc.record({ major: byte, minor: byte, build: byte });
    const model = fc.integer({ min: models.firstModel, max: models.lastModel });
    const cpuid = fc.record({ family: fc.constant(models.family), model, stepping: byte });
    const vector = version === 5 ? uint64 : fc.constant(null);
    return fc.record({
      version: fc.constant(version),
      guestSvn: uint32,
      policy: fc.bigInt(0n, 0x3ff_ffffn).map((raw) => decodeGuestPolicy(raw | POLICY_MUST_BE_ONE)),
      familyId: hex(16),
      imageId: hex(16),
      vmpl: fc.nat(3),
      signatureAlgo: fc.constant(1),
      currentTcb: tcb,
      platformInfo: uint64.map(decodePlatformInfo),
      keyInfo: fc.record({
        authorKeyEn: fc.boolean(),
        maskChipKey: fc.boolean(),
        signingKey: fc.constantFrom('VCEK', 'VLEK'),
      }),
      reportData: hex(64),
      measurement: hex(48),
      hostData: hex(32),
      idKeyDigest: hex(48),
      authorKeyDigest: hex(48),
      reportId: hex(32),
      reportIdMa: hex(32),
      reportedTcb: tcb,
      cpuid: version === 2 ? fc.constant(null) : cpuid,
      chipId: hex(64),
      committedTcb: tcb,
      currentVersion: firmware,
      committedVersion: firmware,
      launchTcb: tcb,
      launchMitVector: vector,
      currentMitVector: vector,
    });
  });

/** r and s whose highest byte is 1 to 0xfe, so that both are in range. */
const signature = fc
  .uint8Array({ minLength: 96, maxLength: 96 })
  .map((bytes) => bytes.map((value, index) => (index % 48 === 0 ? (value % 0xfe) + 1 : value)));

describe('serializeReport', () => {
  it('serializes what parses to the same claims, and parses what serializes to the same bytes', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    await fuzz(
      fc.property(claims, signature, (given, signed) => {
        const bytes = serializeReport(given, signed);
        const report = parseReport(bytes);
        expect(unverifiedClaims(report)).toEqual(given);
        expect(signatureOf(report)).toEqual(signed);
        expect(serializeReport(unverifiedClaims(report), signatureOf(report))).toEqual(bytes);
      }),
    );
  });

  it('leaves the signature zero when none is given', () => {
    const unsigned = serializeReport(SAMPLE_CLAIMS);
    expect(unsigned.subarray(0x2a0).every((value) => value === 0)).toBe(true);
    const signed = serializeReport(SAMPLE_CLAIMS, SAMPLE_SIGNATURE);
    expect(unsigned.subarray(0, 0x2a0)).toEqual(signed.subarray(0, 0x2a0));
  });

  it('serializes claims that a verifier must refuse', () => {
    const refused = serializeReport({
      ...SAMPLE_CLAIMS,
      version: 9,
      policy: decodeGuestPolicy(0n),
      vmpl: 0xffff_ffff,
      signatureAlgo: 2,
      cpuid: { family: 1, model: 2, stepping: 3 },
    });
    expect(toHex(refused.subarray(0, 4))).toBe('09000000');
    expect(toHex(refused.subarray(0x30, 0x38))).toBe('ffffffff02000000');
    expect(toHex(refused.subarray(0x188, 0x18b))).toBe('010203');
  });

  it.each<[string, Partial<ReportClaims>]>([
    ['a number that is too large', { guestSvn: 0x1_0000_0000 }],
    ['a negative number', { vmpl: -1 }],
    ['a fraction', { version: 2.5 }],
    ['a byte string that is too short', { reportData: '00' }],
    ['a byte string that is not hexadecimal', { hostData: 'zz'.repeat(32) }],
    ['a vector that is too large', { launchMitVector: 1n << 64n }],
    ['bits that disagree with the policy', { policy: { ...SAMPLE_CLAIMS.policy, debug: true } }],
    [
      'bits that disagree with the platform information',
      { platformInfo: { ...SAMPLE_CLAIMS.platformInfo, tioEn: true } },
    ],
    ['a missing CPUID', { cpuid: null }],
    ['a missing vector', { currentMitVector: null }],
    ['an fmc on a Milan', { currentTcb: { ...SAMPLE_CLAIMS.currentTcb, fmc: 1 } }],
    ['a TCB component that is no byte', { launchTcb: { bl: 256, tee: 0, snp: 0, ucode: 0 } }],
  ])('throws a RangeError for claims with %s', (_, changes) => {
    expect(() => serializeReport({ ...SAMPLE_CLAIMS, ...changes })).toThrow(RangeError);
  });

  it('throws a RangeError for claims that the report version does not have', () => {
    const two = claimsOfVersion(2);
    expect(() => serializeReport({ ...two, cpuid: SAMPLE_CLAIMS.cpuid })).toThrow(
      'a report of version 2 has no cpuid',
    );
    expect(() => serializeReport({ ...two, launchMitVector: 0n })).toThrow(RangeError);
  });

  it('throws a RangeError for a signature of another length', () => {
    expect(() => serializeReport(SAMPLE_CLAIMS, new Uint8Array(95))).toThrow(RangeError);
  });
});
