import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../testing/code-of.ts';
import { readVector } from '../testing/read-vectors.ts';
import { verify } from './verify.ts';
import { verifyCrl } from './verify-crl.ts';

const crl = readFileSync(new URL('../../../test/vectors/amd/genoa_crl.der', import.meta.url));
const NOW = new Date('2025-10-01T00:00:00Z');

describe('a revocation list', () => {
  it('verifies a revocation list of AMD by itself', () => {
    expect(verifyCrl(crl, 'Genoa', NOW)).toEqual({
      number: 4n,
      thisUpdate: '2024-10-23T04:36:24Z',
      nextUpdate: '2025-11-03T01:00:00Z',
    });
  });

  it.each([
    ['2024-10-23T04:36:23Z', 'crl-validity'],
    ['2024-10-23T04:36:24Z', 'accepted'],
    ['2025-11-03T01:00:00Z', 'accepted'],
    ['2025-11-03T01:00:01Z', 'crl-validity'],
  ])('verifies the revocation list at %s with the result %s', (now, expected) => {
    expect(codeOf(() => verifyCrl(crl, 'Genoa', new Date(now)))).toBe(expected);
  });

  it('throws a TypeError for an unknown product and for an invalid date', () => {
    expect(() => verifyCrl(crl, 'Rome' as 'Genoa', NOW)).toThrow(
      new TypeError('No product Rome is known.'),
    );
    expect(() => verifyCrl(crl, 'Genoa', new Date('never'))).toThrow(TypeError);
  });

  it('reports the validity of an expired revocation list, and the time it was checked at', () => {
    expect(() => verifyCrl(crl, 'Genoa', new Date('2026-01-01T00:00:00Z'))).toThrow(
      expect.objectContaining({
        message: 'Cannot trust the revocation list: it is no longer valid.',
        expected: 'a time from 2024-10-23T04:36:24Z to 2025-11-03T01:00:00Z',
        found: '2026-01-01T00:00:00Z',
      }),
    );
  });

  it('refuses a revocation list of another product', () => {
    expect(codeOf(() => verifyCrl(crl, 'Turin', NOW))).toBe('crl-issuer');
    const { evidence } = readVector('hardware/turin-v5');
    expect(codeOf(() => verify(evidence, { now: NOW, crl }))).toBe('crl-issuer');
  });

  it('refuses a revocation list with any byte changed', () => {
    const codes = new Set<string>();
    for (let at = 0; at < crl.length; at += 1) {
      const changed = Uint8Array.from(crl);
      changed[at] = (changed[at] ?? 0) ^ 1;
      codes.add(codeOf(() => verifyCrl(changed, 'Genoa', NOW)));
    }
    expect([...codes].sort()).toEqual(['crl-encoding', 'crl-issuer', 'crl-signature']);
  });
});
