import { describe, expect, it } from 'vitest';
import { fromHex } from '../hex.ts';
import { checkOf, failuresOf, HOST_DATA, REPORT_DATA } from './testing/specimen.ts';

describe('host-data', () => {
  it('passes HOST_DATA as the policy has it, in either case', () => {
    const policy = { hostData: HOST_DATA.toUpperCase() };
    expect(checkOf('host-data', { policy })?.verdict).toBe('passed');
  });

  it('fails HOST_DATA other than the policy has, zero included', () => {
    const claims = { hostData: '00'.repeat(32) };
    expect(failuresOf({ claims })).toEqual(['host-data']);
    expect(checkOf('host-data', { claims })).toEqual({
      verdict: 'failed',
      expected: HOST_DATA,
      actual: '00'.repeat(32),
    });
  });

  it('fails HOST_DATA where the policy has none', () => {
    expect(checkOf('host-data', { policy: { hostData: undefined } })).toEqual({
      verdict: 'failed',
      expected: 'none: the policy says no hostData',
      actual: HOST_DATA,
    });
  });

  it('skips HOST_DATA where the policy allows any explicitly', () => {
    expect(checkOf('host-data', { policy: { hostData: 'any-explicit' } })).toEqual({
      verdict: 'skipped',
      expected: 'any: the policy says any-explicit',
      actual: HOST_DATA,
    });
  });
});

describe('report-data', () => {
  const OTHER = 'cd'.repeat(64);

  it.each([
    ['digits', REPORT_DATA],
    ['digits in upper case', REPORT_DATA.toUpperCase()],
    ['bytes', fromHex(REPORT_DATA)],
  ])('passes REPORT_DATA that the caller expects as %s', (_, reportData) => {
    expect(checkOf('report-data', { expected: { reportData } })?.verdict).toBe('passed');
  });

  it('passes REPORT_DATA that the policy has', () => {
    const specimen = { policy: { reportData: REPORT_DATA }, expected: {} };
    expect(checkOf('report-data', specimen)?.verdict).toBe('passed');
  });

  it('fails REPORT_DATA that neither the policy nor the caller has', () => {
    expect(failuresOf({ expected: {} })).toEqual(['report-data']);
    expect(checkOf('report-data', { expected: {} })?.expected).toBe(
      'none: neither the policy nor the caller says reportData',
    );
  });

  it('fails REPORT_DATA that differs from the policy or from the caller', () => {
    const expected = { reportData: OTHER };
    expect(failuresOf({ expected })).toEqual(['report-data']);
    expect(failuresOf({ expected, policy: { reportData: REPORT_DATA } })).toEqual(['report-data']);
    expect(failuresOf({ policy: { reportData: OTHER } })).toEqual(['report-data']);
    expect(checkOf('report-data', { policy: { reportData: OTHER } })?.expected).toBe(
      `${OTHER} and ${REPORT_DATA}`,
    );
  });

  it('fails REPORT_DATA other than the caller expects, even where the policy allows any', () => {
    const policy = { reportData: 'any-explicit' };
    expect(failuresOf({ policy, expected: { reportData: OTHER } })).toEqual(['report-data']);
    expect(checkOf('report-data', { policy, expected: {} })?.verdict).toBe('skipped');
  });
});
