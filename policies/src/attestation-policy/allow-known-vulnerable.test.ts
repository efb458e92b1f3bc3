import { describe, expect, it } from 'vitest';
import { parseAttestationPolicy, STRICT_POLICY } from './attestation-policy.ts';

const GLITCHED =
  '91c44a33162d17b3a04ff6b631b6f6bc735b1b81cc103b69dced1c72b15a376c486a36da75e1d9239f1a18a62bd52b14a5e31af999472dbc068d22728181a0d7';

describe('what is known to be vulnerable', () => {
  it('denies the chips that are known to be vulnerable, whatever else a policy denies', () => {
    expect(STRICT_POLICY.chipDeny).toEqual([GLITCHED]);
    const other = '38'.repeat(64);
    expect(parseAttestationPolicy({ chipDeny: [other] }).chipDeny).toEqual([other, GLITCHED]);
    expect(parseAttestationPolicy({ chipDeny: [] }).chipDeny).toEqual([GLITCHED]);
  });

  it('allows the vulnerable launches and chips that a policy names, and none by default', () => {
    expect(STRICT_POLICY.allowKnownVulnerable).toEqual([]);
    const allowed = parseAttestationPolicy({
      ...STRICT_POLICY,
      allowKnownVulnerable: [GLITCHED.toUpperCase(), 'ab'.repeat(48), 'cd'.repeat(32)],
    });
    expect(allowed.allowKnownVulnerable).toEqual([GLITCHED, 'ab'.repeat(48), 'cd'.repeat(32)]);
    expect(allowed.chipDeny).toEqual([]);
  });

  it('denies a chip that the policy both denies and allows', () => {
    const other = '38'.repeat(64);
    const policy = { chipDeny: [other], allowKnownVulnerable: [other] };
    expect(parseAttestationPolicy(policy).chipDeny).toEqual([other, GLITCHED]);
  });

  it.each([true, 'all', ['ab'], ['91c44a33'], ['zz'.repeat(48)]])(
    'refuses the value %j for allowKnownVulnerable',
    (allowKnownVulnerable) => {
      expect(() => parseAttestationPolicy({ allowKnownVulnerable })).toThrow(
        expect.objectContaining({
          code: 'policy-invalid',
          message: expect.stringContaining('allowKnownVulnerable'),
        }),
      );
    },
  );
});
