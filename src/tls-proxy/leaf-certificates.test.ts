import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { LeafCertificates } from './leaf-certificates.ts';
import { makeAuthority } from './make-authority.ts';

const authority = makeAuthority({ subject: 'test authority', now: Date.now() });
const certificates = new LeafCertificates(authority, 'test proxy');

it.each([
  ['registry.example', 'DNS:registry.example'],
  ['192.0.2.7', 'IP Address:192.0.2.7'],
  ['2001:db8::7', 'IP Address:2001:DB8:0:0:0:0:0:7'],
  ['::1', 'IP Address:0:0:0:0:0:0:0:1'],
])('certifies %s for servers, as long as its authority', (host, name) => {
  const made = new X509Certificate(certificates.certificateFor(host));
  const issuer = new X509Certificate(authority.certificate);
  expect(made.subject).toBe('CN=test proxy');
  expect(made.subjectAltName).toBe(name);
  expect(made.checkIssued(issuer)).toBe(true);
  expect(made.verify(issuer.publicKey)).toBe(true);
  expect(made.ca).toBe(false);
  expect(made.validFrom).toBe(issuer.validFrom);
  expect(made.validTo).toBe(issuer.validTo);
});

it('keeps what it made for a host', () => {
  expect(certificates.contextFor('a.example')).toBe(certificates.contextFor('a.example'));
});
