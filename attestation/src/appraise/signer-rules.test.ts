import { describe, expect, it } from 'vitest';
import { CHIP, checkOf, failuresOf, MASKED, MILAN, TURIN, TURIN_CHIP } from './testing/specimen.ts';

const VLEK = {
  signingKeys: ['VCEK', 'VLEK'],
  cspIds: ['CN=cc-us-east-2.amazonaws.com'],
  allowMaskedChip: true,
};
const OTHER = '77'.repeat(64);

it('accepts a report that a VLEK signed where the policy allows VLEKs', () => {
  expect(failuresOf({ base: MASKED, policy: VLEK })).toEqual([]);
});

describe('signing-key', () => {
  it('fails a kind of signing key that the policy does not allow', () => {
    const policy = { ...VLEK, signingKeys: ['VCEK'] };
    expect(failuresOf({ base: MASKED, policy })).toEqual(['signing-key']);
    expect(failuresOf({ policy: { signingKeys: ['VLEK'] } })).toEqual(['signing-key']);
  });

  it('fails both kinds of signing key where the policy allows none', () => {
    expect(checkOf('signing-key', { policy: { signingKeys: [] } })).toEqual({
      verdict: 'failed',
      expected: 'none: the policy allows no signing key',
      actual: 'VCEK',
    });
  });
});

describe('csp-id', () => {
  it('skips the provider check for a VCEK', () => {
    expect(checkOf('csp-id')?.verdict).toBe('skipped');
  });

  it.each([
    [[]],
    [['CN=cc-us-east-1.amazonaws.com']],
    [['CN=cc-us-east-2.amazonaws.com.example']],
    [['cc-us-east-2.amazonaws.com']],
  ])('fails a VLEK whose provider is not in %j', (cspIds) => {
    expect(failuresOf({ base: MASKED, policy: { ...VLEK, cspIds } })).toEqual(['csp-id']);
  });

  it('fails a VLEK that names no provider', () => {
    const claims = { endorsement: { ...MASKED.endorsement, cspId: null } };
    expect(checkOf('csp-id', { base: MASKED, claims, policy: VLEK })).toEqual({
      verdict: 'failed',
      expected: 'CN=cc-us-east-2.amazonaws.com',
      actual: 'no CSP_ID',
    });
  });
});

describe('chip-masked', () => {
  it('passes a report that names its chip', () => {
    expect(checkOf('chip-masked')?.verdict).toBe('passed');
  });

  it('fails a report that does not name its chip', () => {
    const policy = { ...VLEK, allowMaskedChip: false };
    expect(failuresOf({ base: MASKED, policy })).toEqual(['chip-masked']);
  });

  it('fails a report that says its key is masked, though it names a chip', () => {
    const claims = { keyInfo: { ...MILAN.keyInfo, maskChipKey: true } };
    expect(failuresOf({ claims })).toEqual(['chip-masked']);
  });
});

describe('chip-allow', () => {
  it('passes a chip on the allow list', () => {
    expect(checkOf('chip-allow', { policy: { chipAllow: [OTHER, CHIP] } })?.verdict).toBe('passed');
  });

  it.each([['3b'.repeat(8)], [TURIN_CHIP]])('passes a Turin chip on the allow list as %s', (id) => {
    const specimen = { base: TURIN, policy: { chipAllow: [id] } };
    expect(checkOf('chip-allow', specimen)?.verdict).toBe('passed');
  });

  it('fails a chip that is not on the allow list, and every chip where the list is empty', () => {
    expect(failuresOf({ policy: { chipAllow: [OTHER] } })).toEqual(['chip-allow']);
    expect(failuresOf({ policy: { chipAllow: [] } })).toEqual(['chip-allow']);
  });

  it('distinguishes a Milan chip from the Turin chip id that its own id begins with', () => {
    expect(failuresOf({ policy: { chipAllow: [CHIP.slice(0, 16)] } })).toEqual(['chip-allow']);
  });

  it('fails a report that does not name its chip where the policy lists allowed chips', () => {
    const policy = { ...VLEK, chipAllow: [CHIP] };
    expect(failuresOf({ base: MASKED, policy })).toEqual(['chip-allow']);
    expect(checkOf('chip-allow', { base: MASKED, policy })?.actual).toBe('masked');
  });

  it('skips the allow list of chips where the policy has none', () => {
    expect(checkOf('chip-allow')?.verdict).toBe('skipped');
  });
});

describe('chip-deny', () => {
  const policy = { chipDeny: [OTHER] };

  it('passes a chip that is not on the deny list', () => {
    expect(checkOf('chip-deny', { policy })?.verdict).toBe('passed');
  });

  it('fails a chip on the deny list, even when it is on the allow list as well', () => {
    const both = { chipAllow: [CHIP], chipDeny: [CHIP] };
    expect(failuresOf({ policy: both })).toEqual(['chip-deny']);
  });

  it('fails a Turin chip on the deny list by its 8 bytes', () => {
    const turin = { base: TURIN, policy: { chipDeny: ['3b'.repeat(8)] } };
    expect(failuresOf(turin)).toEqual(['chip-deny']);
  });

  it('fails a chip on the deny list by its VCEK when the report masks its id', () => {
    const claims = { chipId: '00'.repeat(64), chipMasked: true };
    const specimen = { claims, policy: { chipDeny: [CHIP], allowMaskedChip: true } };
    expect(failuresOf(specimen)).toEqual(['chip-deny']);
  });

  it('fails a masked chip that may be one on the deny list', () => {
    const specimen = { base: MASKED, policy: { ...VLEK, ...policy } };
    expect(checkOf('chip-deny', specimen)).toEqual({
      verdict: 'failed',
      expected: 'a reported chip, and none of 2 denied',
      actual: 'masked',
    });
  });
});
