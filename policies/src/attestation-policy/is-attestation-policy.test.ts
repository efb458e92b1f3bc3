import { describe, expect, it } from 'vitest';
import {
  isAttestationPolicy,
  parseAttestationPolicy,
  STRICT_POLICY,
} from './attestation-policy.ts';

describe('isAttestationPolicy', () => {
  it('distinguishes a parsed policy from a copy of it', () => {
    expect(isAttestationPolicy(STRICT_POLICY)).toBe(true);
    expect(isAttestationPolicy(parseAttestationPolicy({}))).toBe(true);
    expect(isAttestationPolicy({ ...STRICT_POLICY })).toBe(false);
  });
});
