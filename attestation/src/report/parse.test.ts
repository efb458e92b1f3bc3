import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../errors.ts';
import { codeOf } from '../testing/code-of.ts';
import { VERIFY_CHECKS } from '../verify/verify-checks.ts';
import { FIELDS, type Field, REPORT_SIZE } from './layout.ts';
import { parseReport } from './parse.ts';
import { unverifiedClaims } from './parsed-report.ts';
import { serializeReport } from './serialize.ts';
import {
  claimsOfVersion,
  SAMPLE_CLAIMS,
  SAMPLE_SIGNATURE,
  sampleReport,
  TURIN_CLAIMS,
} from './testing/sample.ts';

/** The documented codes of parsing, in their order. */
const CODES = Object.keys(VERIFY_CHECKS).slice(0, 10);

const UNSIGNED_CODE = 'report-signature-encoding';

function refusal(bytes: Uint8Array): AttestationError {
  try {
    parseReport(bytes);
  } catch (error) {
    if (error instanceof AttestationError) return error;
    throw error;
  }
  throw new Error('the report was accepted');
}

function reportCode(bytes: Uint8Array): string {
  return codeOf(() => parseReport(bytes));
}

/** The sample report with the given bytes at the start of a field. */
function withBytes(field: Field, bytes: readonly number[], report = sampleReport()): Uint8Array {
  report.set(bytes, field.offset);
  return report;
}

describe('parseReport', () => {
  it('parses reports of every version and product', () => {
    for (const version of [2, 3, 4] as const) {
      const claims = claimsOfVersion(version);
      const report = parseReport(serializeReport(claims, SAMPLE_SIGNATURE));
      expect(unverifiedClaims(report)).toEqual(claims);
    }
    for (const claims of [SAMPLE_CLAIMS, TURIN_CLAIMS]) {
      const report = parseReport(serializeReport(claims, SAMPLE_SIGNATURE));
      expect(unverifiedClaims(report)).toEqual(claims);
    }
  });

  it('parses a part of a larger buffer, and a Buffer', () => {
    const buffer = new Uint8Array(REPORT_SIZE + 16);
    buffer.set(sampleReport(), 8);
    const part = buffer.subarray(8, 8 + REPORT_SIZE);
    expect(unverifiedClaims(parseReport(part))).toEqual(SAMPLE_CLAIMS);
    expect(unverifiedClaims(parseReport(Buffer.from(part)))).toEqual(SAMPLE_CLAIMS);
  });

  it('keeps its own copy of the report bytes', () => {
    const bytes = Buffer.from(sampleReport());
    const report = parseReport(bytes);
    bytes.fill(0);
    expect(unverifiedClaims(report)).toEqual(SAMPLE_CLAIMS);
  });

  it.each([undefined, null, 'report', [1, 2], new ArrayBuffer(REPORT_SIZE)])(
    'throws a TypeError for the report %s',
    (value) => {
      const parse: (bytes: never) => unknown = parseReport;
      expect(() => parse(value as never)).toThrow(TypeError);
    },
  );

  it.each([0, 1, 793, 1183, 1185, 4096])('refuses a report of %d bytes', (length) => {
    const error = refusal(new Uint8Array(length));
    expect(error).toMatchObject({
      code: 'report-length',
      expected: '1184 bytes',
      found: `${length} bytes`,
    });
  });

  it.each([0, 1, 6, 0x0500_0000])('refuses report version %d', (version) => {
    const report = sampleReport();
    new DataView(report.buffer).setUint32(0, version, true);
    expect(refusal(report)).toMatchObject({ code: 'report-version', found: String(version) });
  });

  it.each([0x4c, 0x4f, 0x18b, 0x19f, 0x1eb, 0x1ef, 0x208, 0x29f])(
    'refuses a nonzero reserved byte of a report at %i',
    (offset) => {
      const error = refusal(withBytes({ offset, size: 1 }, [0x80]));
      expect(error).toMatchObject({ code: 'report-reserved', found: expect.stringMatching(/^0x/) });
      expect(error.message).toMatch(
        /^byte(?: 0x[0-9a-f]+|s 0x[0-9a-f]+ to 0x[0-9a-f]+) must be zero/,
      );
    },
  );

  it('refuses a CPUID in version 2, and mitigation vectors before version 5', () => {
    const two = serializeReport(claimsOfVersion(2), SAMPLE_SIGNATURE);
    for (const field of [FIELDS.CPUID_FAM_ID, FIELDS.CPUID_MOD_ID, FIELDS.CPUID_STEP]) {
      expect(reportCode(withBytes(field, [0x19], two.slice()))).toBe('report-reserved');
    }
    for (const version of [2, 3, 4] as const) {
      const report = serializeReport(claimsOfVersion(version), SAMPLE_SIGNATURE);
      for (const field of [FIELDS.LAUNCH_MIT_VECTOR, FIELDS.CURRENT_MIT_VECTOR]) {
        expect(reportCode(withBytes(field, [0, 1], report.slice()))).toBe('report-reserved');
      }
    }
  });

  it('refuses a guest policy without bit 17, or with a bit above 25', () => {
    expect(reportCode(withBytes(FIELDS.POLICY, [0, 0, 0x01, 0, 0, 0, 0, 0]))).toBe(
      'report-guest-policy',
    );
    expect(reportCode(withBytes(FIELDS.POLICY, [0, 0, 0x03, 0x04, 0, 0, 0, 0]))).toBe(
      'report-guest-policy',
    );
    expect(reportCode(withBytes(FIELDS.POLICY, [0, 0, 0x03, 0, 0, 0, 0, 0x80]))).toBe(
      'report-guest-policy',
    );
  });

  it('accepts the VMPLs of guests, and refuses any other with its own message', () => {
    for (const vmpl of [0, 1, 2, 3]) parseReport(sampleReport({ vmpl }));
    expect(refusal(sampleReport({ vmpl: 4 }))).toMatchObject({
      code: 'report-vmpl',
      message: 'no guest has that VMPL',
      found: '0x4',
    });
    expect(refusal(sampleReport({ vmpl: 0xffff_ffff }))).toMatchObject({
      code: 'report-vmpl',
      message: 'the host asked for the report, no guest',
    });
  });

  it.each([0, 2, 0xffff_ffff])('refuses signature algorithm %d', (signatureAlgo) => {
    expect(reportCode(sampleReport({ signatureAlgo }))).toBe('report-signature-algorithm');
  });

  it('refuses a report that no key signed, and unknown key information', () => {
    expect(refusal(withBytes(FIELDS.KEY_INFO, [7 << 2]))).toMatchObject({
      code: 'report-key-info',
      message: 'the report is not signed: its SIGNING_KEY is none',
      found: '7',
    });
    for (let key = 2; key < 7; key++) {
      expect(refusal(withBytes(FIELDS.KEY_INFO, [key << 2]))).toMatchObject({
        code: 'report-key-info',
        message: 'the SIGNING_KEY of the report is reserved',
      });
    }
    for (const bytes of [[0x20], [0, 1], [0, 0, 0, 0x80]]) {
      expect(reportCode(withBytes(FIELDS.KEY_INFO, bytes))).toBe('report-key-info');
    }
  });

  it.each([
    ['R', FIELDS.SIGNATURE_R],
    ['S', FIELDS.SIGNATURE_S],
  ])(
    'refuses a signature whose %s is zero, the order or above, or of more than 48 bytes',
    (name, field) => {
      const order = Buffer.from(
        'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
        'hex',
      ).reverse();
      expect(refusal(withBytes(field, new Array<number>(48).fill(0)))).toMatchObject({
        code: UNSIGNED_CODE,
        message: `${name} of the signature is out of range`,
      });
      expect(reportCode(withBytes(field, [...order]))).toBe(UNSIGNED_CODE);
      expect(reportCode(withBytes(field, new Array<number>(48).fill(0xff)))).toBe(UNSIGNED_CODE);
      parseReport(withBytes(field, [0x72, ...order.subarray(1)]));
      for (const offset of [48, 71]) {
        const above = { offset: field.offset + offset, size: 1 };
        expect(refusal(withBytes(above, [1])).message).toBe(
          `${name} of the signature is longer than 48 bytes`,
        );
      }
    },
  );

  it('refuses nonzero bytes behind the signature of a report', () => {
    for (const offset of [0x330, 0x49f]) {
      expect(reportCode(withBytes({ offset, size: 1 }, [1]))).toBe(UNSIGNED_CODE);
    }
  });

  it('refuses a report of an unknown processor, and names it', () => {
    for (const cpuid of [
      { family: 0x19, model: 0x20, stepping: 0 },
      { family: 0x1a, model: 0x50, stepping: 0 },
      { family: 0x17, model: 0x01, stepping: 0 },
    ]) {
      const error = refusal(sampleReport({ cpuid }));
      expect(error.code).toBe('product');
      expect(error.message).toContain(`family 0x${cpuid.family.toString(16)}`);
      expect(error.message).toContain(`model 0x${cpuid.model.toString(16)}`);
    }
  });

  it('refuses a version 2 report with the chip id of a Turin', () => {
    const turin = serializeReport(
      { ...claimsOfVersion(2), chipId: TURIN_CLAIMS.chipId },
      SAMPLE_SIGNATURE,
    );
    expect(reportCode(turin)).toBe('product');
    const masked = { ...claimsOfVersion(2), chipId: '00'.repeat(64) };
    parseReport(serializeReport(masked, SAMPLE_SIGNATURE));
  });

  it.each([FIELDS.CURRENT_TCB, FIELDS.REPORTED_TCB, FIELDS.COMMITTED_TCB, FIELDS.LAUNCH_TCB])(
    'refuses reserved bytes in the TCB version at $offset',
    (field) => {
      for (const index of [2, 3, 4, 5]) {
        const place = { offset: field.offset + index, size: 1 };
        expect(reportCode(withBytes(place, [1]))).toBe('report-tcb');
      }
      for (const index of [4, 5, 6]) {
        const place = { offset: field.offset + index, size: 1 };
        const turin = serializeReport(TURIN_CLAIMS, SAMPLE_SIGNATURE);
        expect(reportCode(withBytes(place, [1], turin))).toBe('report-tcb');
      }
    },
  );

  it('parses a report with unknown platform bits, which a policy judges', () => {
    const report = parseReport(withBytes(FIELDS.PLATFORM_INFO, [0xff, 0xff, 0, 0, 0, 0, 0, 0x80]));
    expect(unverifiedClaims(report).platformInfo.raw).toBe(0x8000_0000_0000_ffffn);
  });

  it('checks the fields of a report in the documented order', () => {
    const faults: readonly (readonly [string, (report: Uint8Array) => void])[] = [
      ['report-version', (report) => report.set([9], FIELDS.VERSION.offset)],
      ['report-reserved', (report) => report.set([1], 0x4c)],
      ['report-guest-policy', (report) => report.set([0], FIELDS.POLICY.offset + 2)],
      ['report-vmpl', (report) => report.set([4], FIELDS.VMPL.offset)],
      ['report-signature-algorithm', (report) => report.set([2], FIELDS.SIGNATURE_ALGO.offset)],
      ['report-key-info', (report) => report.set([0xff], FIELDS.KEY_INFO.offset)],
      ['report-signature-encoding', (report) => report.set([1], 0x49f)],
      ['product', (report) => report.set([0], FIELDS.CPUID_FAM_ID.offset)],
      ['report-tcb', (report) => report.set([1], FIELDS.LAUNCH_TCB.offset + 2)],
    ];
    expect(faults.map(([code]) => code)).toEqual(CODES.slice(1));
    const report = sampleReport();
    for (const [code, damage] of faults.toReversed()) {
      damage(report);
      expect(reportCode(report)).toBe(code);
    }
    expect(reportCode(report.subarray(1))).toBe('report-length');
  });

  it('parses any bytes as a report or refuses them', { timeout: FUZZ_TIMEOUT }, async () => {
    const flip = fc.record({ at: fc.nat(REPORT_SIZE - 1), byte: fc.nat(255) });
    const damaged = fc
      .record({
        base: fc.constantFrom(SAMPLE_CLAIMS, TURIN_CLAIMS, claimsOfVersion(2)),
        flips: fc.array(flip, { maxLength: 4 }),
      })
      .map(({ base, flips }) => {
        const report = serializeReport(base, SAMPLE_SIGNATURE);
        for (const { at, byte } of flips) report[at] = byte;
        return report;
      });
    const noise = fc.uint8Array({ maxLength: REPORT_SIZE + 8 });
    await fuzz(
      fc.property(fc.oneof(damaged, noise), (bytes) => {
        expect(['accepted', ...CODES]).toContain(reportCode(bytes));
      }),
    );
  });
});
