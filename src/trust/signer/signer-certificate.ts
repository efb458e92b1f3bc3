/**
 * The identity in a signing certificate: one name, and the issuer of the identity.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto';
import type { ObjectIdentifierValuePair } from '@sigstore/verify';
import { Problem } from '../artifact/problem.ts';

const MAX_CERTIFICATE = 16 * 1024;
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
/**
 * The issuer as bare text, and as a UTF8String:
 * github.com/sigstore/fulcio/blob/main/docs/oid-info.md.
 */
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';
/** A user name, as an otherName: 1.3.6.1.4.1.57264.1.7. */
const USER_NAME = Buffer.from('060a2b0601040183bf300107', 'hex');
/** Signed certificate timestamps (RFC 6962 section 3.3), with the tag of an object identifier. */
const SCT_LIST = Buffer.from('060a2b06010401d679020402', 'hex');

const SEQUENCE = 0x30;
const UTF8_STRING = 0x0c;
const EMAIL = 0x81;
const URI = 0x86;
const OTHER_NAME = 0xa0;

export interface CertifiedIdentity {
  readonly issuer: string;
  readonly subject: string;
}

/** @throws Problem `certificate-malformed`, `certificate-usage`, `sct-missing` */
export function readCertificate(der: Buffer): X509Certificate {
  const certificate = parse(der);
  // OpenSSL accepts any digits as a time.
  if ([certificate.validFrom, certificate.validTo].some((time) => Number.isNaN(Date.parse(time)))) {
    throw malformed('a time in it is none');
  }
  if (certificate.ca || !(certificate.keyUsage ?? []).includes(CODE_SIGNING)) {
    throw new Problem('certificate-usage', 'its certificate is not one for signing code');
  }
  if (!der.includes(SCT_LIST)) {
    throw new Problem('sct-missing', 'its certificate has no proof of a certificate log (SCT)');
  }
  return certificate;
}

/**
 * Reads a certificate of a signature's chain, which must not contain its own root.
 *
 * @throws Problem
 * `certificate-malformed`
 */
export function checkIntermediate(der: Buffer): void {
  const { subject, issuer } = parse(der);
  if (subject === issuer) throw malformed('its chain has a root certificate in it');
}

/**
 * The one certificate in a PEM text, as DER.
 *
 * @throws Problem `certificate-malformed`, `too-large`
 */
export function certificateFromPem(pem: string): Buffer {
  if (pem.length > MAX_CERTIFICATE) throw tooLarge();
  if (pem.split('-----BEGIN ').length !== 2) {
    throw new Problem('certificate-malformed', 'its certificate is not one in PEM');
  }
  return parse(Buffer.from(pem)).raw;
}

/** From all extensions of a verified certificate. @throws Problem `certificate-malformed` */
export function identityOf(extensions: readonly ObjectIdentifierValuePair[]): CertifiedIdentity {
  const issuers = new Set([
    ...valuesOf(extensions, ISSUER_V1).map(utf8),
    ...valuesOf(extensions, ISSUER_V2).map((value) => utf8(contentOf(value, UTF8_STRING))),
  ]);
  const names = valuesOf(extensions, SUBJECT_ALTERNATIVE_NAME);
  const [issuer] = issuers;
  const [name] = names;
  if (issuers.size !== 1 || issuer === undefined) {
    throw malformed(`it names ${issuers.size} issuers of an identity, and not one`);
  }
  if (names.length !== 1 || name === undefined) throw malformed('it has no subject name, or two');
  return { issuer, subject: nameOf(contentOf(name, SEQUENCE)) };
}

/** Exactly one general name (RFC 5280 section 4.2.1.6), byte for byte: no folding to ASCII. */
function nameOf(names: Buffer): string {
  const tag = names[0];
  const content = contentOf(names, tag);
  if (tag === EMAIL || tag === URI) return ascii(content);
  if (tag === OTHER_NAME && content.subarray(0, USER_NAME.length).equals(USER_NAME)) {
    return utf8(contentOf(contentOf(content.subarray(USER_NAME.length), OTHER_NAME), UTF8_STRING));
  }
  throw malformed('its subject name is neither a URI nor an address nor a user name');
}

/** The content of one DER value that fills `der`. */
function contentOf(der: Buffer, tag: number | undefined): Buffer {
  const first = der[1] ?? 0;
  const lengthBytes = first < 0x80 ? 0 : first - 0x80;
  const length = lengthBytes === 0 ? first : lengthBytes <= 2 ? readLength(der, lengthBytes) : -1;
  const content = der.subarray(2 + lengthBytes);
  if (tag === undefined || der[0] !== tag || content.length !== length) {
    throw malformed('an extension in it is not DER, or has more than one value');
  }
  return content;
}

function readLength(der: Buffer, bytes: number): number {
  return der.length < 2 + bytes ? -1 : der.readUIntBE(2, bytes);
}

function valuesOf(extensions: readonly ObjectIdentifierValuePair[], oid: string): Buffer[] {
  const found = extensions.filter((extension) => extension.oid?.id.join('.') === oid);
  if (found.length > 1) throw malformed(`it has the extension ${oid} twice`);
  return found.map(({ value }) => Buffer.from(value));
}

function ascii(bytes: Buffer): string {
  if (bytes.some((byte) => byte < 0x21 || byte > 0x7e)) {
    throw malformed('its subject name has characters that cannot be in one');
  }
  return bytes.toString('latin1');
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed('a name in it is not UTF-8');
  }
}

function parse(bytes: Buffer): X509Certificate {
  if (bytes.length > MAX_CERTIFICATE) throw tooLarge();
  try {
    return new X509Certificate(bytes);
  } catch {
    throw new Problem('certificate-malformed', 'its certificate is not an X.509 certificate');
  }
}

function malformed(reason: string): Problem {
  return new Problem('certificate-malformed', `its certificate cannot be used: ${reason}`);
}

function tooLarge(): Problem {
  return new Problem('too-large', `its certificate is larger than ${MAX_CERTIFICATE} bytes`);
}
