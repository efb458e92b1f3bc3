import { KNOWN_VULNERABLE } from '@a3s-box/policies/known-vulnerable';
import { describe, expect, it } from 'vitest';
import { checkOf, failuresOf, MASKED, MEASUREMENT } from './testing/specimen.ts';

const LISTED = KNOWN_VULNERABLE.entries.filter(({ kind }) => kind === 'launch');
const [{ digest: LAUNCH } = { digest: '' }] = LISTED;
const specimen = (policy: object = {}) => ({
  claims: { measurement: LAUNCH },
  policy: { measurements: [LAUNCH], ...policy },
});

describe('known-vulnerable', () => {
  it('passes a launch digest that is not listed as vulnerable, and names the date of the list', () => {
    expect(checkOf('known-vulnerable')).toEqual({
      verdict: 'passed',
      expected: `a launch digest that is not on the list of ${KNOWN_VULNERABLE.date}`,
      actual: MEASUREMENT,
    });
  });

  it('fails every launch digest that is listed as vulnerable, though the policy names it', () => {
    for (const { digest } of LISTED) {
      const claims = { measurement: digest };
      expect(failuresOf({ claims, policy: { measurements: [digest] } })).toEqual([
        'known-vulnerable',
      ]);
    }
  });

  it('names the advisory of a vulnerable launch digest, and its reason', () => {
    expect(checkOf('known-vulnerable', specimen())?.actual).toMatch(
      /^[0-9a-f]{96}, by A3S-2026-0001: the firmware starts a program of the host/,
    );
  });

  it('fails a vulnerable launch digest where the policy requires the ID key alone', () => {
    const key = '1d'.repeat(48);
    const policy = { measurements: [], idKeyDigests: [key] };
    const claims = { measurement: LAUNCH, idKeyDigest: key };
    expect(failuresOf({ claims, policy })).toEqual(['known-vulnerable']);
  });

  it('skips the vulnerability check for the digest that the policy allows by name, and no other', () => {
    const allowed = specimen({ allowKnownVulnerable: [LAUNCH] });
    expect(failuresOf(allowed)).toEqual([]);
    expect(checkOf('known-vulnerable', allowed)).toMatchObject({
      verdict: 'skipped',
      expected: expect.stringContaining('the policy allows this digest'),
      actual: expect.stringContaining('A3S-2026-0001'),
    });
    const others = LISTED.slice(1).map(({ digest }) => digest);
    const firmware = KNOWN_VULNERABLE.entries[0]?.digest;
    for (const allowKnownVulnerable of [others, [firmware]]) {
      expect(failuresOf(specimen({ allowKnownVulnerable }))).toEqual(['known-vulnerable']);
    }
  });
});

describe('chip-deny', () => {
  const [CHIP = ''] = KNOWN_VULNERABLE.entries
    .filter(({ kind }) => kind === 'chip')
    .map(({ digest }) => digest);
  const claims = { chipId: CHIP };
  const endorsement = { ...MASKED.endorsement, kind: 'VCEK' as const, hwid: CHIP, cspId: null };

  it('fails the chip whose keys were extracted, whatever the policy denies', () => {
    expect(failuresOf({ claims })).toEqual(['chip-deny']);
    expect(failuresOf({ claims, policy: { chipDeny: [] } })).toEqual(['chip-deny']);
    expect(failuresOf({ claims, policy: { chipAllow: [CHIP] } })).toContain('chip-deny');
  });

  it('fails the chip whose keys were extracted by its VCEK when the report masks its id', () => {
    const masked = { chipId: '00'.repeat(64), chipMasked: true, endorsement };
    expect(failuresOf({ claims: masked, policy: { allowMaskedChip: true } })).toEqual([
      'chip-deny',
    ]);
  });

  it('skips the deny list for the extracted chip when the policy allows it by name', () => {
    const policy = { allowKnownVulnerable: [CHIP] };
    const input = { claims: { ...claims, endorsement: { ...endorsement, productName: 'Milan' } } };
    expect(checkOf('chip-deny', { ...input, policy })?.verdict).toBe('skipped');
  });

  it('passes a VLEK that names no chip while only the shipped list denies chips', () => {
    const policy = {
      signingKeys: ['VLEK'],
      cspIds: ['CN=cc-us-east-2.amazonaws.com'],
      allowMaskedChip: true,
    };
    expect(failuresOf({ base: MASKED, policy })).toEqual([]);
    expect(checkOf('chip-deny', { base: MASKED, policy })?.verdict).toBe('skipped');
  });
});
