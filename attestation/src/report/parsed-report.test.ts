import { describe, expect, it } from 'vitest';
import { toHex } from '../hex.ts';
import { parseReport } from './parse.ts';
import {
  claimsOf,
  ParsedReport,
  productOf,
  signatureOf,
  signedBytes,
  tcbClassOf,
  unverifiedClaims,
} from './parsed-report.ts';
import { serializeReport } from './serialize.ts';
import {
  claimsOfVersion,
  SAMPLE_CLAIMS,
  SAMPLE_SIGNATURE,
  sampleReport,
  TURIN_CLAIMS,
} from './testing/sample.ts';

function frozenThroughout(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(frozenThroughout);
}

describe('ParsedReport', () => {
  it('a parsed report has no enumerable claims, and is frozen', () => {
    const report = parseReport(sampleReport());
    expect(Object.keys(report)).toEqual([]);
    expect(JSON.stringify(report)).toBe('{}');
    expect(Object.isFrozen(report)).toBe(true);
  });

  it('refuses to construct a parsed report that fails the checks', () => {
    expect(() => new ParsedReport(new Uint8Array(1184))).toThrow(
      expect.objectContaining({ code: 'report-version' }),
    );
    const forged: ParsedReport = Object.create(ParsedReport.prototype);
    for (const read of [signedBytes, signatureOf, claimsOf, productOf, unverifiedClaims]) {
      expect(() => read(forged)).toThrow(TypeError);
    }
  });

  it('returns deeply frozen claims', () => {
    const report = parseReport(sampleReport());
    expect(frozenThroughout(claimsOf(report))).toBe(true);
    expect(unverifiedClaims(report)).toBe(claimsOf(report));
  });
});

describe('signedBytes', () => {
  it('returns a new copy of the signed bytes on each call', () => {
    const bytes = sampleReport();
    const report = parseReport(bytes);
    expect(toHex(signedBytes(report))).toBe(toHex(bytes.subarray(0, 0x2a0)));
    signedBytes(report).fill(0);
    expect(toHex(signedBytes(report))).toBe(toHex(bytes.subarray(0, 0x2a0)));
  });
});

describe('signatureOf', () => {
  it('returns the signature as big-endian r and s', () => {
    expect(signatureOf(parseReport(sampleReport()))).toEqual(SAMPLE_SIGNATURE);
  });

  it('reverses the little-endian bytes of r and s', () => {
    const bytes = sampleReport();
    const signature = signatureOf(parseReport(bytes));
    expect(signature[0]).toBe(bytes[0x2a0 + 47]);
    expect(signature[47]).toBe(bytes[0x2a0]);
    expect(signature[48]).toBe(bytes[0x2e8 + 47]);
    expect(signature[95]).toBe(bytes[0x2e8]);
  });
});

describe('productOf and tcbClassOf', () => {
  it('derives product and TCB class from the CPUID', () => {
    expect(productOf(parseReport(sampleReport()))).toBe('Milan');
    expect(tcbClassOf(SAMPLE_CLAIMS)).toBe('milan');
    const turin = parseReport(serializeReport(TURIN_CLAIMS, SAMPLE_SIGNATURE));
    expect(productOf(turin)).toBe('Turin');
    expect(tcbClassOf(claimsOf(turin))).toBe('turin');
  });

  it('returns no product and no TCB class for a version 2 report without CPUID', () => {
    const report = parseReport(serializeReport(claimsOfVersion(2), SAMPLE_SIGNATURE));
    expect(productOf(report)).toBeNull();
    expect(tcbClassOf(claimsOf(report))).toBeNull();
  });
});
