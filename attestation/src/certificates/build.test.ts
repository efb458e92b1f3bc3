import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ARK, ASK, CRL, ca, crl, TURIN_VLEK, VCEK, vek } from './testing/samples.ts';

describe('building certificates', () => {
  it('builds endorsement key certificates that node:crypto reads', () => {
    const certificate = new X509Certificate(vek(VCEK));
    expect(certificate.subject.split('\n').at(-1)).toBe('CN=SEV-VCEK');
    expect(certificate.ca).toBe(false);
    expect(Date.parse(certificate.validTo)).toBe(VCEK.notAfter);
    expect(new X509Certificate(vek(TURIN_VLEK)).issuer).toContain('CN=SEV-VLEK-Turin');
  });

  it('builds CA certificates and revocation lists that other tools accept', () => {
    const ark = new X509Certificate(ca(ARK));
    const ask = new X509Certificate(ca(ASK));
    expect([ark.ca, ask.ca]).toEqual([true, true]);
    expect(ask.serialNumber).toBe('010001');
    expect(ask.checkIssued(ark)).toBe(true);
    expect(Date.parse(ark.validTo)).toBe(ARK.notAfter);
  });

  it('refuses to build a certificate from values that no certificate can hold', () => {
    expect(() => vek({ ...VCEK, hwid: '0' })).toThrow(TypeError);
    expect(() => vek({ ...VCEK, productName: 'Mailänd' })).toThrow(RangeError);
    expect(() => ca({ ...ASK, serial: 'x' })).toThrow(TypeError);
    expect(() => crl({ ...CRL, number: -1n })).toThrow(RangeError);
  });
});
