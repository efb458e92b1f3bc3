import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { expect, it } from 'vitest';
import { LeafCertificates } from './leaf-certificates.ts';
import { makeAuthority } from './make-authority.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');

it('makes an authority that was valid two days ago, with a key of its own', () => {
  const { certificate, privateKey } = makeAuthority({ subject: 'test', now: NOW });
  const parsed = new X509Certificate(certificate);
  expect(parsed.ca).toBe(true);
  expect(parsed.verify(parsed.publicKey)).toBe(true);
  expect(parsed.checkIssued(parsed)).toBe(true);
  expect(parsed.checkPrivateKey(createPrivateKey(privateKey))).toBe(true);
  expect(Date.parse(parsed.validFrom)).toBe(NOW - 2 * 24 * 3600 * 1000);
  expect(Date.parse(parsed.validTo)).toBeGreaterThan(NOW);
  const other = new X509Certificate(makeAuthority({ subject: 'test', now: NOW }).certificate);
  expect(other.serialNumber).not.toBe(parsed.serialNumber);
  expect(parsed.verify(other.publicKey)).toBe(false);
});

it.each([
  ['api.example', 'secure'],
  ['below.api.example', 'secure'],
  ['other.example', 'permitted subtree violation'],
  ['192.0.2.7', 'excluded subtree violation'],
])('makes an authority for hosts alone, with which a client finds %s %s', async (host, found) => {
  const hosts = ['api.example', 'b.example'];
  const authority = makeAuthority({ subject: 'test', now: Date.now(), hosts });
  const secureContext = new LeafCertificates(authority, 'test proxy').contextFor(host);
  const server = createServer({ SNICallback: (_, done) => done(null, secureContext) });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect({
    ...{ port, host: '127.0.0.1', servername: 'any.example', ca: authority.certificate },
    checkServerIdentity: () => undefined,
  });
  const result = await new Promise((resolve) => {
    client.on('secureConnect', () => resolve('secure'));
    client.on('error', (error: Error) => resolve(error.message));
  });
  client.destroy();
  server.close();
  expect(result).toBe(found);
});
