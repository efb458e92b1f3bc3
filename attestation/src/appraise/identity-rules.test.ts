import { describe, expect, it } from 'vitest';
import {
  checkOf,
  failuresOf,
  KEY_DIGEST,
  MEASUREMENT,
  MILAN,
  type Specimen,
} from './testing/specimen.ts';

const OTHER = '2f'.repeat(48);

describe('measurement', () => {
  it('passes one of the list, in either case', () => {
    const policy = { measurements: [OTHER, MEASUREMENT.toUpperCase()] };
    expect(checkOf('measurement', { policy })).toEqual({
      verdict: 'passed',
      expected: `one of ${OTHER}, ${MEASUREMENT}`,
      actual: MEASUREMENT,
    });
  });

  it('fails one that is not, and every one where none is listed', () => {
    expect(failuresOf({ policy: { measurements: [OTHER] } })).toEqual(['measurement']);
    expect(checkOf('measurement', { policy: { measurements: [] } })?.expected).toBe(
      'none: the policy allows no measurement',
    );
    expect(failuresOf({ policy: { measurements: [] } })).toEqual(['measurement']);
  });

  it('writes out a few of a long list', () => {
    const measurements = Array.from({ length: 6 }, (_, index) => `0${index}`.repeat(48));
    expect(checkOf('measurement', { policy: { measurements } })?.expected).toBe(
      `one of ${measurements.slice(0, 4).join(', ')} and 2 more`,
    );
  });

  it('is skipped where only the ID key is asked for', () => {
    const specimen = {
      claims: { idKeyDigest: KEY_DIGEST },
      policy: { measurements: [], idKeyDigests: [KEY_DIGEST] },
    };
    expect(checkOf('measurement', specimen)?.verdict).toBe('skipped');
    expect(failuresOf(specimen)).toEqual([]);
  });

  it('is asked for beside the ID key where both are', () => {
    const specimen = {
      claims: { idKeyDigest: KEY_DIGEST },
      policy: { measurements: [OTHER], idKeyDigests: [KEY_DIGEST] },
    };
    expect(failuresOf(specimen)).toEqual(['measurement']);
  });
});

describe('id-block', () => {
  const policy = { requireIdBlock: true, idKeyDigests: [KEY_DIGEST] };

  it('passes a guest with one, fails one without', () => {
    const claims = { idKeyDigest: KEY_DIGEST };
    expect(checkOf('id-block', { claims, policy })?.verdict).toBe('passed');
    expect(failuresOf({ policy })).toEqual(['id-block', 'id-key']);
  });

  it('is skipped where the policy does not ask', () => {
    expect(checkOf('id-block')?.verdict).toBe('skipped');
  });
});

describe.each([
  ['id-key', 'idKeyDigests', 'idKeyDigest'],
  ['author-key', 'authorKeyDigests', 'authorKeyDigest'],
] as const)('%s', (code, key, claim) => {
  const claims = { [claim]: KEY_DIGEST, keyInfo: { ...MILAN.keyInfo, authorKeyEn: true } };

  it('passes a listed key', () => {
    const policy = { [key]: [OTHER, KEY_DIGEST] };
    expect(checkOf(code, { claims, policy })?.verdict).toBe('passed');
  });

  it('fails another, none, and every one where none is listed', () => {
    expect(failuresOf({ claims, policy: { [key]: [OTHER] } })).toEqual([code]);
    expect(failuresOf({ policy: { [key]: [OTHER] } })).toEqual([code]);
    expect(failuresOf({ claims, policy: { [key]: [] } })).toEqual([code]);
    expect(checkOf(code, { policy: { [key]: [] } })).toEqual({
      verdict: 'failed',
      expected: 'none: the policy allows no key',
      actual: 'no key',
    });
  });

  it('is skipped where there is no list', () => {
    expect(checkOf(code)?.verdict).toBe('skipped');
  });
});

it('does not take the digest of an author key that the report says is not there', () => {
  const specimen = {
    claims: { authorKeyDigest: KEY_DIGEST },
    policy: { authorKeyDigests: [KEY_DIGEST] },
  };
  expect(failuresOf(specimen)).toEqual(['author-key']);
});

describe('guest-svn', () => {
  it('passes the minimum and more, fails less', () => {
    const policy = { minGuestSvn: 4, idKeyDigests: [KEY_DIGEST] };
    expect(checkOf('guest-svn', { claims: { guestSvn: 4 }, policy })?.verdict).toBe('passed');
    expect(checkOf('guest-svn', { claims: { guestSvn: 5 }, policy })?.verdict).toBe('passed');
    expect(checkOf('guest-svn', { claims: { guestSvn: 3 }, policy })).toEqual({
      verdict: 'failed',
      expected: 'at least 4',
      actual: '3',
    });
  });
});

describe.each([
  ['family-id', 'familyIds'],
  ['image-id', 'imageIds'],
] as const)('%s', (code, key) => {
  const listing = (...ids: readonly string[]): Specimen => ({
    claims: { idKeyDigest: KEY_DIGEST },
    policy: { [key]: ids, idKeyDigests: [KEY_DIGEST] },
  });

  it('passes a listed one; zero may be listed', () => {
    expect(checkOf(code, listing('00'.repeat(16)))?.verdict).toBe('passed');
  });

  it('fails another, and every one where none is listed', () => {
    expect(failuresOf(listing('01'.repeat(16)))).toEqual([code]);
    expect(failuresOf(listing())).toEqual([code]);
  });

  it('is skipped where there is no list', () => {
    expect(checkOf(code)?.verdict).toBe('skipped');
  });
});
