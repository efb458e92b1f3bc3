import { describe, expect, it } from 'vitest';
import { parseCa } from '../certificates/ca.ts';
import { chainOf } from './chain.ts';
import { chainPem } from './testing/certificates.ts';
import { refusal } from './testing/refusal.ts';

describe('chainOf', () => {
  it('returns the intermediate of a chain before its root', () => {
    const names = chainOf(chainPem('VLEK', 'Genoa'), 'VLEK', 'Genoa').map(
      (der) => parseCa(der).subject.commonName,
    );
    expect(names).toEqual(['SEV-VLEK-Genoa', 'ARK-Genoa']);
  });

  it('refuses the chain of another kind or product', async () => {
    const pem = chainPem('VCEK', 'Milan');
    expect((await refusal(() => chainOf(pem, 'VLEK', 'Milan'))).code).toBe('vek-issuer');
    const error = await refusal(() => chainOf(pem, 'VCEK', 'Genoa'));
    expect(error.expected).toBe('SEV-Genoa, ARK-Genoa');
    expect(error.found).toBe('SEV-Milan, ARK-Milan');
  });

  it('refuses a chain that is not made of certificates', async () => {
    const text = new TextEncoder();
    const page = await refusal(() => chainOf(text.encode('<html>'), 'VCEK', 'Milan'));
    expect(page.code).toBe('pem-malformed');
    const pem = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n';
    const empty = await refusal(() => chainOf(text.encode(pem), 'VCEK', 'Milan'));
    expect(empty.code).toBe('ca-encoding');
  });
});
