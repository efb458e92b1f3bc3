import { describe, expect, it } from 'vitest';
import { fromHex } from '../hex.ts';
import { KRUN, NO_HOST_DATA } from './testing/krun.ts';
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

describe('launch-spec', () => {
  const OTHER = 'cd'.repeat(32);

  it('skips the launch spec of a guest of QEMU, whatever the caller found of it', () => {
    expect(checkOf('launch-spec')?.verdict).toBe('skipped');
    const expected = { reportData: REPORT_DATA, specDigest: OTHER };
    expect(checkOf('launch-spec', { expected })?.verdict).toBe('skipped');
    expect(failuresOf({ expected })).toEqual([]);
  });

  it('takes no digest that the caller found for the HOST_DATA of a guest of QEMU', () => {
    const claims = { hostData: NO_HOST_DATA };
    const expected = { reportData: REPORT_DATA, specDigest: HOST_DATA };
    expect(failuresOf({ claims, expected })).toEqual(['host-data']);
  });

  it('passes the launch spec that the policy names, where libkrun launched the guest', () => {
    expect(failuresOf(KRUN)).toEqual([]);
    expect(checkOf('launch-spec', KRUN)).toEqual({
      verdict: 'passed',
      expected: HOST_DATA,
      actual: HOST_DATA,
    });
    expect(checkOf('host-data', KRUN)?.verdict).toBe('skipped');
  });

  it('fails another launch spec, and one that REPORT_DATA is not over', () => {
    const expected = { reportData: REPORT_DATA, specDigest: OTHER };
    expect(failuresOf({ ...KRUN, expected })).toEqual(['launch-spec']);
    const unbound = { ...KRUN, expected: { reportData: REPORT_DATA } };
    expect(failuresOf(unbound)).toEqual(['launch-spec']);
    expect(checkOf('launch-spec', unbound)?.actual).toBe('none that REPORT_DATA is over');
  });

  it('fails where the policy names no launch spec, and skips where it allows any', () => {
    const none = { ...KRUN, policy: { ...KRUN.policy, hostData: undefined } };
    expect(failuresOf(none)).toEqual(['launch-spec']);
    const any = { ...KRUN, policy: { ...KRUN.policy, hostData: 'any-explicit' } };
    expect(checkOf('launch-spec', any)?.verdict).toBe('skipped');
    expect(failuresOf(any)).toEqual([]);
  });

  it('fails a guest of libkrun with any HOST_DATA, which libkrun cannot set', () => {
    const claims = { hostData: HOST_DATA };
    expect(failuresOf({ ...KRUN, claims })).toEqual(['host-data']);
    const any = { ...KRUN.policy, hostData: 'any-explicit' };
    expect(failuresOf({ ...KRUN, claims, policy: any })).toEqual(['host-data']);
  });

  it('takes no launch spec without the report data that is over it', () => {
    const policy = { ...KRUN.policy, reportData: 'any-explicit' };
    const expected = { specDigest: HOST_DATA };
    expect(() => failuresOf({ ...KRUN, policy, expected })).toThrow(
      new RangeError('Cannot appraise: a launch spec needs the report data that is over it.'),
    );
  });

  it.each([OTHER.slice(2), OTHER.toUpperCase(), `${OTHER}00`, ''])(
    'takes no digest of a launch spec such as %j',
    (specDigest) => {
      const expected = { reportData: REPORT_DATA, specDigest };
      expect(() => failuresOf({ ...KRUN, expected })).toThrow(
        new RangeError('Cannot appraise: the digest of the launch spec must be 32 bytes.'),
      );
    },
  );
});
