import { createPrivateKey, X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { makeAuthority } from './authority.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');

it('makes an authority that was valid two days ago, with a key of its own', () => {
  const { certificate, privateKey } = makeAuthority(NOW);
  const parsed = new X509Certificate(certificate);
  expect(parsed.ca).toBe(true);
  expect(parsed.verify(parsed.publicKey)).toBe(true);
  expect(parsed.checkIssued(parsed)).toBe(true);
  expect(parsed.checkPrivateKey(createPrivateKey(privateKey))).toBe(true);
  expect(Date.parse(parsed.validFrom)).toBe(NOW - 2 * 24 * 3600 * 1000);
  expect(Date.parse(parsed.validTo)).toBeGreaterThan(NOW);
  const other = new X509Certificate(makeAuthority(NOW).certificate);
  expect(other.serialNumber).not.toBe(parsed.serialNumber);
  expect(parsed.verify(other.publicKey)).toBe(false);
});
