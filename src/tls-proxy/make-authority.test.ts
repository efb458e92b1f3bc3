import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

it('makes certificates that clients with strict rules accept, as Python does since 3.13', () => {
  const authority = makeAuthority({ subject: 'test', now: Date.now(), hosts: ['api.example'] });
  const leaf = new LeafCertificates(authority, 'test proxy').certificateFor('api.example');
  const directory = mkdtempSync(join(tmpdir(), 'a3s-authority-'));
  try {
    const [root, end] = [join(directory, 'root.pem'), join(directory, 'end.pem')];
    writeFileSync(root, authority.certificate);
    writeFileSync(end, leaf);
    const strict = ['-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'api.example'];
    const said = execFileSync('openssl', ['verify', ...strict, '-CAfile', root, end]);
    expect(said.toString()).toBe(`${end}: OK\n`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
