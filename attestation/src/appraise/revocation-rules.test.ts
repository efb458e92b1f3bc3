import { describe, expect, it } from 'vitest';
import { checkOf, failuresOf, MILAN, type Specimen } from './testing/specimen.ts';

const NONE = { claims: { revocation: null } };

function gotAt(obtainedAt: string | null, crl: Readonly<Record<string, unknown>> = {}): Specimen {
  const revocation = MILAN.revocation && { ...MILAN.revocation, obtainedAt };
  return { claims: { revocation }, policy: { crl } };
}

describe('crl-required', () => {
  it('passes a verification that used a revocation list', () => {
    expect(checkOf('crl-required')?.verdict).toBe('passed');
  });

  it('fails a verification without a revocation list', () => {
    expect(failuresOf(NONE)).toEqual(['crl-required']);
  });

  it('skips the revocation check where the policy does not require a list', () => {
    const specimen = { ...NONE, policy: { crl: { required: false } } };
    expect(checkOf('crl-required', specimen)?.verdict).toBe('skipped');
    expect(failuresOf(specimen)).toEqual([]);
  });
});

describe('crl-age', () => {
  it.each([
    ['exactly the allowed age', '2026-06-05T12:00:00Z'],
    ['no age', '2026-06-12T12:00:00Z'],
    ['retrieved during the verification', '2026-06-12T12:00:30Z'],
  ])('passes a revocation list by its age: %s', (_, obtainedAt) => {
    expect(checkOf('crl-age', gotAt(obtainedAt))?.verdict).toBe('passed');
  });

  it.each([
    ['a second more than allowed', '2026-06-05T11:59:59Z'],
    ['a time in the future', '2026-06-12T12:05:01Z'],
    ['an invalid time', 'yesterday'],
  ])('fails a revocation list by its age: %s', (_, obtainedAt) => {
    expect(failuresOf(gotAt(obtainedAt))).toEqual(['crl-age']);
    expect(checkOf('crl-age', gotAt(obtainedAt))).toEqual({
      verdict: 'failed',
      expected: 'got at most 7 days before',
      actual: `got at ${obtainedAt}, verified at 2026-06-12T12:00:00Z`,
    });
  });

  it('fails a revocation list whose time of retrieval is unknown', () => {
    expect(failuresOf(gotAt(null))).toEqual(['crl-age']);
    expect(failuresOf(gotAt(null, { required: false, maxAgeDays: 36_500 }))).toEqual(['crl-age']);
    expect(checkOf('crl-age', gotAt(null))).toEqual({
      verdict: 'failed',
      expected: 'got at most 7 days before',
      actual: 'unknown when it was got, verified at 2026-06-12T12:00:00Z',
    });
  });

  it('skips the age check without a revocation list, and where the policy allows any age', () => {
    expect(checkOf('crl-age', NONE)?.expected).toBe('any: there is none');
    for (const obtainedAt of ['2026-01-01T00:00:00Z', null]) {
      const specimen = gotAt(obtainedAt, { maxAgeDays: null });
      expect(checkOf('crl-age', specimen)?.verdict).toBe('skipped');
    }
  });
});

describe('crl-number', () => {
  const least = (minNumber: Readonly<Record<string, unknown>>): Specimen => ({
    policy: { crl: { minNumber } },
  });

  it('passes a revocation list with the minimum number', () => {
    expect(checkOf('crl-number', least({ Milan: 5 }))?.verdict).toBe('passed');
  });

  it('fails a revocation list below the minimum number', () => {
    expect(failuresOf(least({ Milan: 6 }))).toEqual(['crl-number']);
    expect(checkOf('crl-number', least({ Milan: 6 }))).toEqual({
      verdict: 'failed',
      expected: 'number 6 or later',
      actual: 'number 5',
    });
  });

  it('skips the minimum number for another product, and without a revocation list', () => {
    expect(checkOf('crl-number', least({ Genoa: 6 }))?.verdict).toBe('skipped');
    expect(checkOf('crl-number', { ...NONE, ...least({ Milan: 6 }) })?.verdict).toBe('skipped');
  });
});
