/**
 * Makes a server's key and certificate: self-signed, with evidence in it.
 *
 * @module
 */
// The decorators of @peculiar/x509 need this import first.
import 'reflect-metadata';
import { Crypto } from '@peculiar/webcrypto';
import { Extension, X509CertificateGenerator } from '@peculiar/x509';
import { claimsReportData, encodeClaims, pubkeyHashOf } from '../certificate/claims.ts';
import { EVIDENCE_OIDS, encodeEvidence, type Tee } from '../certificate/evidence-extension.ts';
import type { EvidenceSource } from './evidence-source.ts';

/** The subject names of certificates, which mark a simulation. */
const SUBJECTS: Readonly<Record<Tee, string>> = {
  'sev-snp': 'a3s-box',
  simulated: 'a3s-box SIMULATED, NOT HARDWARE',
};
/** The host sets a guest's clock, so a validity period means nothing. */
const ALWAYS = { notBefore: new Date(0), notAfter: new Date('9999-12-31T23:59:59Z') };
const KEY = { name: 'ECDSA', namedCurve: 'P-384' };

export interface SelfSigned {
  /** PEM. */
  readonly key: string;
  /** PEM. */
  readonly certificate: string;
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Uint8Array;
}

/** Makes a new key, and a certificate that shows the key's guest. */
export async function selfSigned(source: EvidenceSource): Promise<SelfSigned> {
  const crypto = new Crypto();
  const keys = await crypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey));
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  const { tee, instance, specDigest } = await source.identity();
  const claims = encodeClaims({ pubkeyHash: pubkeyHashOf(spki), instance, specDigest });
  const { report, certificates = new Uint8Array() } = await source.evidence(
    claimsReportData(claims),
  );
  const value = encodeEvidence({ report, certificates, claims });
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: [{ CN: [SUBJECTS[tee]] }],
      serialNumber: '01',
      ...ALWAYS,
      keys,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-384' },
      extensions: [new Extension(EVIDENCE_OIDS[tee], false, value)],
    },
    crypto,
  );
  return { key: pem(pkcs8), certificate: `${certificate.toString('pem')}\n`, spki };
}

function pem(pkcs8: ArrayBuffer): string {
  const lines =
    Buffer.from(pkcs8)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
}
