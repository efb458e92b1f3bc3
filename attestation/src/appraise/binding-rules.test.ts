import { describe, expect, it } from 'vitest';
import { fromHex } from '../hex.ts';
import { checkOf, failuresOf, HOST_DATA, REPORT_DATA } from './testing/specimen.ts';

describe('host-data', () => {
  it('passes what the policy says, in either case', () => {
    const policy = { hostData: HOST_DATA.toUpperCase() };
    expect(checkOf('host-data', { policy })?.verdict).toBe('passed');
  });

  it('fails anything else, zero included', () => {
    const claims = { hostData: '00'.repeat(32) };
    expect(failuresOf({ claims })).toEqual(['host-data']);
    expect(checkOf('host-data', { claims })).toEqual({
      verdict: 'failed',
      expected: HOST_DATA,
      actual: '00'.repeat(32),
    });
  });

  it('fails where the policy says nothing', () => {
    expect(checkOf('host-data', { policy: { hostData: undefined } })).toEqual({
      verdict: 'failed',
      expected: 'none: the policy says no hostData',
      actual: HOST_DATA,
    });
  });

  it('is skipped where the policy says so', () => {
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
  ])('passes what the caller expects, as %s', (_, reportData) => {
    expect(checkOf('report-data', { expected: { reportData } })?.verdict).toBe('passed');
  });

  it('passes what the policy says', () => {
    const specimen = { policy: { reportData: REPORT_DATA }, expected: {} };
    expect(checkOf('report-data', specimen)?.verdict).toBe('passed');
  });

  it('fails what neither says', () => {
    expect(failuresOf({ expected: {} })).toEqual(['report-data']);
    expect(checkOf('report-data', { expected: {} })?.expected).toBe(
      'none: neither the policy nor the caller says reportData',
    );
  });

  it('fails what differs from the one or the other', () => {
    const expected = { reportData: OTHER };
    expect(failuresOf({ expected })).toEqual(['report-data']);
    expect(failuresOf({ expected, policy: { reportData: REPORT_DATA } })).toEqual(['report-data']);
    expect(failuresOf({ policy: { reportData: OTHER } })).toEqual(['report-data']);
    expect(checkOf('report-data', { policy: { reportData: OTHER } })?.expected).toBe(
      `${OTHER} and ${REPORT_DATA}`,
    );
  });

  it('holds the caller to what it expects, even where the policy takes any', () => {
    const policy = { reportData: 'any-explicit' };
    expect(failuresOf({ policy, expected: { reportData: OTHER } })).toEqual(['report-data']);
    expect(checkOf('report-data', { policy, expected: {} })?.verdict).toBe('skipped');
  });
});
