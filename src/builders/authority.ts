/**
 * The certificate authority of one builder. Nobody else trusts it.
 *
 * @module
 */
import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  bitString,
  boolean,
  explicit,
  integer,
  octetString,
  oid,
  sequence,
  set,
  time,
  utf8String,
} from '@a3s-box/attestation/x509';
import type { Builder } from '../build/builder.ts';

const OID = {
  commonName: '2.5.4.3',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
} as const;
/** The clock of a builder may be that of a snapshot that it was started from. */
const BACKDATED_MS = 2 * 24 * 3600 * 1000;
/** A builder is gone long before that. */
const VALID_MS = 10 * 365 * 24 * 3600 * 1000;
/** Key usage: `keyCertSign` alone, as a bit string with two unused bits. */
const KEY_CERT_SIGN = Uint8Array.of(3, 2, 2, 4);

/** @param now milliseconds since 1970 */
export function makeAuthority(now: number): Builder['authority'] {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(set(sequence(oid(OID.commonName), utf8String('a3s-box builder'))));
  const algorithm = sequence(oid(OID.ecdsaSha256));
  const serial = randomBytes(16);
  // Positive, in its one encoding.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const tbs = sequence(
    explicit(0, integer(2)),
    integer(serial),
    algorithm,
    name,
    sequence(time(now - BACKDATED_MS), time(now + VALID_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(
      3,
      sequence(
        extension(OID.basicConstraints, sequence(boolean(true))),
        extension(OID.keyUsage, KEY_CERT_SIGN),
      ),
    ),
  );
  const signature = createSign('sha256').update(tbs).sign(privateKey);
  return {
    certificate: pem(sequence(tbs, algorithm, bitString(signature))),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function extension(id: string, value: Uint8Array): Uint8Array {
  return sequence(oid(id), boolean(true), octetString(value));
}

function pem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
