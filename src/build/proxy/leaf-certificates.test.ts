import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { testAuthority } from '../../registry/testing/test-authority.ts';
import { LeafCertificates } from './leaf-certificates.ts';

const directory = mkdtempSync(join(tmpdir(), 'a3s-leaf-'));
const { ca, caFile } = testAuthority(directory);
const certificates = new LeafCertificates({
  certificate: ca,
  privateKey: readFileSync(caFile.replace(/crt$/, 'key'), 'utf8'),
});
afterAll(() => rmSync(directory, { recursive: true }));

it.each([
  ['registry.example', 'DNS:registry.example'],
  ['192.0.2.7', 'IP Address:192.0.2.7'],
  ['2001:db8::7', 'IP Address:2001:DB8:0:0:0:0:0:7'],
  ['::1', 'IP Address:0:0:0:0:0:0:0:1'],
])('certifies %s for servers, as long as its authority', (host, name) => {
  const made = new X509Certificate(certificates.certificateFor(host));
  const authority = new X509Certificate(ca);
  expect(made.subjectAltName).toBe(name);
  expect(made.checkIssued(authority)).toBe(true);
  expect(made.verify(authority.publicKey)).toBe(true);
  expect(made.ca).toBe(false);
  expect(made.validFrom).toBe(authority.validFrom);
  expect(made.validTo).toBe(authority.validTo);
});

it('keeps what it made for a host', () => {
  expect(certificates.contextFor('a.example')).toBe(certificates.contextFor('a.example'));
});
