/**
 * Certificates for tests, each its own issuer, made by `openssl`.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** @param years the first day of the one to the first day of the other */
export function testCertificate(
  name: string,
  [from, to]: readonly [number, number] = [2026, 2030],
): TestCertificate {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-broker-tls-'));
  const [cert, key] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
        ...['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'],
        ...['-not_before', `${from}0101000000Z`, '-not_after', `${to}0101000000Z`],
        ...['-keyout', key, '-out', cert],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** SHA-256 of the key of a certificate. */
export function keyPin(cert: string): string {
  const { publicKey } = new X509Certificate(cert);
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex');
}
