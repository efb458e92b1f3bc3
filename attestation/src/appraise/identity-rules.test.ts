import { describe, expect, it } from 'vitest';
import { KRUN } from './testing/krun.ts';
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
  it('passes a measurement on the list, in either case', () => {
    const policy = { measurements: [OTHER, MEASUREMENT.toUpperCase()] };
    expect(checkOf('measurement', { policy })).toEqual({
      verdict: 'passed',
      expected: `one of ${OTHER}, ${MEASUREMENT}`,
      actual: MEASUREMENT,
    });
  });

  it('fails a measurement that is not on the list, and every one where the list is empty', () => {
    expect(failuresOf({ policy: { measurements: [OTHER] } })).toEqual(['measurement']);
    expect(checkOf('measurement', { policy: { measurements: [] } })?.expected).toBe(
      'none: the policy allows no measurement',
    );
    expect(failuresOf({ policy: { measurements: [] } })).toEqual(['measurement']);
  });

  it('reports only the first entries of a long list of measurements', () => {
    const measurements = Array.from({ length: 6 }, (_, index) => `0${index}`.repeat(48));
    expect(checkOf('measurement', { policy: { measurements } })?.expected).toBe(
      `one of ${measurements.slice(0, 4).join(', ')} and 2 more`,
    );
  });

  it('skips the measurement where the policy requires the ID key alone', () => {
    const specimen = {
      claims: { idKeyDigest: KEY_DIGEST },
      policy: { measurements: [], idKeyDigests: [KEY_DIGEST] },
    };
    expect(checkOf('measurement', specimen)?.verdict).toBe('skipped');
    expect(failuresOf(specimen)).toEqual([]);
  });

  it('checks the measurement beside the ID key where the policy has both', () => {
    const specimen = {
      claims: { idKeyDigest: KEY_DIGEST },
      policy: { measurements: [OTHER], idKeyDigests: [KEY_DIGEST] },
    };
    expect(failuresOf(specimen)).toEqual(['measurement']);
  });
});

describe('engine', () => {
  it('refuses a launch digest of libkrun unless the policy names the engine', () => {
    const { engines: _, ...policy } = KRUN.policy;
    expect(failuresOf({ ...KRUN, policy })).toEqual(['engine']);
    expect(checkOf('engine', { ...KRUN, policy })).toEqual({
      verdict: 'failed',
      expected: 'qemu',
      actual: 'krun',
    });
    const both = { ...policy, engines: ['qemu', 'krun'] };
    expect(failuresOf({ ...KRUN, policy: both })).toEqual([]);
    expect(failuresOf({ ...KRUN, policy: { ...policy, engines: [] } })).toEqual(['engine']);
  });

  it('refuses every launch digest that is not one of libkrun where the policy is for libkrun', () => {
    expect(failuresOf({ policy: { engines: ['krun'] } })).toEqual(['engine']);
    const other = { ...KRUN.policy, krunMeasurements: [OTHER] };
    expect(failuresOf({ ...KRUN, policy: other })).toEqual(['engine', 'measurement', 'host-data']);
  });

  it('requires of a guest of libkrun an allowed launch digest, and not an ID key in its place', () => {
    const policy = { ...KRUN.policy, krunMeasurements: [OTHER], idKeyDigests: [KEY_DIGEST] };
    const claims = { idKeyDigest: KEY_DIGEST };
    expect(failuresOf({ ...KRUN, policy, claims })).toContain('engine');
    const listed = { ...KRUN.policy, idKeyDigests: [KEY_DIGEST] };
    expect(checkOf('measurement', { ...KRUN, policy: listed })).toEqual({
      verdict: 'passed',
      expected: MEASUREMENT,
      actual: MEASUREMENT,
    });
    expect(failuresOf({ ...KRUN, policy: listed })).toEqual(['id-key']);
  });
});

describe('id-block', () => {
  const policy = { requireIdBlock: true, idKeyDigests: [KEY_DIGEST] };

  it('passes a guest with an ID block, and fails one without', () => {
    const claims = { idKeyDigest: KEY_DIGEST };
    expect(checkOf('id-block', { claims, policy })?.verdict).toBe('passed');
    expect(failuresOf({ policy })).toEqual(['id-block', 'id-key']);
  });

  it('skips the ID block check where the policy does not require one', () => {
    expect(checkOf('id-block')?.verdict).toBe('skipped');
  });
});

describe.each([
  ['id-key', 'idKeyDigests', 'idKeyDigest'],
  ['author-key', 'authorKeyDigests', 'authorKeyDigest'],
] as const)('%s', (code, key, claim) => {
  const claims = { [claim]: KEY_DIGEST, keyInfo: { ...MILAN.keyInfo, authorKeyEn: true } };

  it('passes a key on the list', () => {
    const policy = { [key]: [OTHER, KEY_DIGEST] };
    expect(checkOf(code, { claims, policy })?.verdict).toBe('passed');
  });

  it('fails a key that is not on the list, a missing key, and every key where the list is empty', () => {
    expect(failuresOf({ claims, policy: { [key]: [OTHER] } })).toEqual([code]);
    expect(failuresOf({ policy: { [key]: [OTHER] } })).toEqual([code]);
    expect(failuresOf({ claims, policy: { [key]: [] } })).toEqual([code]);
    expect(checkOf(code, { policy: { [key]: [] } })).toEqual({
      verdict: 'failed',
      expected: 'none: the policy allows no key',
      actual: 'no key',
    });
  });

  it('skips the key check where the policy has no list', () => {
    expect(checkOf(code)?.verdict).toBe('skipped');
  });
});

it('fails the digest of an author key that the report does not enable', () => {
  const specimen = {
    claims: { authorKeyDigest: KEY_DIGEST },
    policy: { authorKeyDigests: [KEY_DIGEST] },
  };
  expect(failuresOf(specimen)).toEqual(['author-key']);
});

describe('guest-svn', () => {
  it('passes a guest SVN at or above the minimum, and fails one below', () => {
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

  it('passes an id on the list, which may be zero', () => {
    expect(checkOf(code, listing('00'.repeat(16)))?.verdict).toBe('passed');
  });

  it('fails an id that is not on the list, and every id where the list is empty', () => {
    expect(failuresOf(listing('01'.repeat(16)))).toEqual([code]);
    expect(failuresOf(listing())).toEqual([code]);
  });

  it('skips the id check where the policy has no list', () => {
    expect(checkOf(code)?.verdict).toBe('skipped');
  });
});
