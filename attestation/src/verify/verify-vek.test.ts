import { describe, expect, it } from 'vitest';
import { codeOf } from '../testing/code-of.ts';
import { readVector } from '../testing/read-vectors.ts';
import { verifyVek } from './verify-vek.ts';

const vekOf = (name: string): Uint8Array => Uint8Array.from(readVector(name).evidence.vek ?? []);
const genoa = vekOf('hardware/genoa-v5');
const NOW = new Date('2025-10-01T00:00:00Z');

const verdict = (der: Uint8Array, now = NOW): string => codeOf(() => verifyVek(der, now));

describe('verifyVek', () => {
  it('returns the contents of a VCEK certificate', () => {
    expect(verifyVek(genoa, NOW)).toMatchObject({
      kind: 'VCEK',
      product: 'Genoa',
      tcb: { bl: 10, tee: 0, snp: 25, ucode: 84 },
      cspId: null,
      notBefore: '2025-08-07T17:21:41Z',
      notAfter: '2032-08-07T17:21:41Z',
    });
    expect(verifyVek(vekOf('hardware/turin-v5'), NOW)).toMatchObject({
      product: 'Turin',
      hwid: '3b42092f69c656d3',
      tcb: { fmc: 0 },
    });
  });

  it('returns the contents of a VLEK certificate', () => {
    const now = new Date('2025-06-01T00:00:00Z');
    expect(verifyVek(vekOf('hardware/milan-vlek-v3'), now)).toMatchObject({
      kind: 'VLEK',
      product: 'Milan',
      hwid: null,
      cspId: 'CN=cc-us-east-2.amazonaws.com',
    });
  });

  it('refuses an endorsement key that the pinned intermediate did not sign', () => {
    const forged = Uint8Array.from(genoa);
    const last = forged.length - 1;
    forged[last] = (forged[last] ?? 0) ^ 1;
    expect(verdict(forged)).toBe('vek-signature');
  });

  it('refuses an endorsement key of a simulated processor', () => {
    expect(verdict(vekOf('appraisal/milan'))).toBe('vek-subject');
  });

  it('refuses an endorsement key of another issuer', () => {
    const name = Buffer.from('SEV-Genoa');
    const at = Buffer.from(genoa).indexOf(name);
    const other = Uint8Array.from(genoa);
    other.set(Buffer.from('SEV-Genob'), at);
    expect(at).toBeGreaterThan(0);
    expect(verdict(other)).toBe('vek-issuer');
  });

  it('accepts an endorsement key from its first to its last second, and refuses it outside', () => {
    expect(verdict(genoa, new Date('2025-08-07T17:21:40Z'))).toBe('vek-validity');
    expect(verdict(genoa, new Date('2025-08-07T17:21:41Z'))).toBe('accepted');
    expect(verdict(genoa, new Date('2032-08-07T17:21:41Z'))).toBe('accepted');
    expect(verdict(genoa, new Date('2032-08-07T17:21:42Z'))).toBe('vek-validity');
  });

  it('refuses bytes that are no endorsement key certificate', () => {
    expect(verdict(Uint8Array.of(1, 2, 3))).toBe('vek-encoding');
    expect(() => verifyVek('der' as unknown as Uint8Array, NOW)).toThrow(TypeError);
  });
});
