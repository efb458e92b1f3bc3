/**
 * Makes certificate authorities.
 *
 * @module
 */
import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  sequence,
  set,
  time,
  utf8String,
} from '@a3s-box/attestation/x509';
import type { Authority } from './authority.ts';
import { subjectKeyIdentifier } from './key-identifier.ts';

const OID = {
  commonName: '2.5.4.3',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  nameConstraints: '2.5.29.30',
} as const;
/** The clock of a guest may be that of a snapshot that it was started from. */
const BACKDATED_MS = 2 * 24 * 3600 * 1000;
/** What trusts it is gone long before that. */
const VALID_MS = 10 * 365 * 24 * 3600 * 1000;
/** Key usage: `keyCertSign` alone, as a bit string with two unused bits. */
const KEY_CERT_SIGN = Uint8Array.of(3, 2, 2, 4);
/** Tags of `GeneralName`. */
const DNS_NAME = 2;
const IP_ADDRESS = 7;
/** Tags of `NameConstraints`, whose lists are constructed. */
const PERMITTED = 0;
const EXCLUDED = 1;

export interface AuthorityOptions {
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The only host names, with all names below, that it can certify. Absent: any. */
  readonly hosts?: readonly string[];
}

export function makeAuthority({ subject, now, hosts }: AuthorityOptions): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(set(sequence(oid(OID.commonName), utf8String(subject))));
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
        subjectKeyIdentifier(publicKey),
        ...(hosts === undefined ? [] : [extension(OID.nameConstraints, permitted(hosts))]),
      ),
    ),
  );
  const signature = createSign('sha256').update(tbs).sign(privateKey);
  return {
    certificate: pem(sequence(tbs, algorithm, bitString(signature))),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** `NameConstraints` (RFC 5280, 4.2.1.10). Names of a kind that is not listed are unconstrained. */
function permitted(hosts: readonly string[]): Uint8Array {
  const subtrees = hosts.map((host) => sequence(implicit(DNS_NAME, Buffer.from(host, 'latin1'))));
  return sequence(
    explicit(PERMITTED, ...subtrees),
    explicit(EXCLUDED, noAddress(4), noAddress(16)),
  );
}

/** Every IP address of a length: `iPAddress` with a mask of zeros. */
function noAddress(bytes: number): Uint8Array {
  return sequence(implicit(IP_ADDRESS, new Uint8Array(2 * bytes)));
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
