/**
 * Certificates for the hosts that a builder or a box asks for, by its own authority.
 *
 * @module
 */
import {
  createPrivateKey,
  createSign,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  openDer,
  sequence,
  set,
  time,
  utf8String,
} from '@a3s-box/attestation/x509';
import type { Authority } from './authority.ts';
import { authorityKeyIdentifier } from './key-identifier.ts';

/** A builder asks for a few hosts; a hostile build for any number. */
const MAX_HOSTS = 256;
const SERIAL_BYTES = 16;

const OID = {
  commonName: '2.5.4.3',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  rsaSha256: '1.2.840.113549.1.1.11',
  subjectAltName: '2.5.29.17',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

const MAX_CERTIFICATE = 64 * 1024;
/** Tags of the fields of a certificate. */
const VERSION = 0xa0;
const INTEGER = 0x02;
const SEQUENCE = 0x30;

/** Tags of `GeneralName`. */
const DNS_NAME = 2;
const IP_ADDRESS = 7;

export class LeafCertificates {
  readonly #authority: X509Certificate;
  readonly #authorityKey: KeyObject;
  readonly #subject: string;
  readonly #key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #contexts = new Map<string, SecureContext>();

  /** @param subject of the certificates */
  constructor({ certificate, privateKey }: Authority, subject: string) {
    this.#authority = new X509Certificate(certificate);
    this.#authorityKey = createPrivateKey(privateKey);
    this.#subject = subject;
  }

  /** @param host a name, or an address without brackets */
  contextFor(host: string): SecureContext {
    const known = this.#contexts.get(host);
    if (known !== undefined) return known;
    const made = createSecureContext({
      key: this.#key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: this.certificateFor(host),
    });
    const [oldest] = this.#contexts.keys();
    if (this.#contexts.size === MAX_HOSTS && oldest !== undefined) this.#contexts.delete(oldest);
    this.#contexts.set(host, made);
    return made;
  }

  /**
   * PEM. It is valid as long as its authority: the clock of a guest may be that of its snapshot.
   */
  certificateFor(host: string): string {
    const { publicKey } = this.#key;
    const algorithm = sequence(
      ...(this.#authorityKey.asymmetricKeyType === 'rsa'
        ? [oid(OID.rsaSha256), Uint8Array.of(5, 0)]
        : [oid(OID.ecdsaSha256)]),
    );
    const tbs = sequence(
      explicit(0, integer(2)),
      integer(serial()),
      algorithm,
      subjectOf(this.#authority.raw),
      sequence(
        time(Date.parse(this.#authority.validFrom)),
        time(Date.parse(this.#authority.validTo)),
      ),
      sequence(set(sequence(oid(OID.commonName), utf8String(this.#subject)))),
      publicKey.export({ type: 'spki', format: 'der' }),
      explicit(
        3,
        sequence(
          alternativeName(host),
          forServers(),
          authorityKeyIdentifier(this.#authority.publicKey),
        ),
      ),
    );
    const signature = createSign('sha256').update(tbs).sign(this.#authorityKey);
    return pem(Buffer.from(sequence(tbs, algorithm, bitString(signature))));
  }
}

/** The subject of a certificate, encoded: the issuer of those that it signs (RFC 5280, 4.1.2.4). */
function subjectOf(certificate: Buffer): Uint8Array {
  const fields = openDer(certificate, MAX_CERTIFICATE).enter().enter();
  for (const tag of [VERSION, INTEGER, SEQUENCE, SEQUENCE, SEQUENCE]) fields.take(tag);
  return fields.take(SEQUENCE).encoded;
}

/** Positive, and not zero. */
function serial(): Uint8Array {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

function alternativeName(host: string): Uint8Array {
  const name =
    isIP(host) === 0
      ? implicit(DNS_NAME, Buffer.from(host, 'latin1'))
      : implicit(IP_ADDRESS, addressOctets(host));
  return extension(OID.subjectAltName, sequence(name));
}

function forServers(): Uint8Array {
  return extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth)));
}

function extension(id: string, value: Uint8Array): Uint8Array {
  return sequence(oid(id), boolean(true), octetString(value));
}

function addressOctets(host: string): Uint8Array {
  if (isIP(host) === 4) return Uint8Array.from(host.split('.').map(Number));
  // The URL parser writes an address of IPv6 in one way, with at most one gap.
  const [head = '', tail] = new URL(`http://[${host}]`).hostname.slice(1, -1).split('::');
  const groups = (text = ''): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail)];
  const gap = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return Buffer.concat(
    [...before, ...gap, ...after].map((group) => Buffer.of(group >> 8, group & 255)),
  );
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
