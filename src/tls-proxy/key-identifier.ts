/**
 * The extensions by which a certificate names its own key, and that of its issuer (RFC 5280,
 * 4.2.1.1 and 4.2.1.2). Clients that verify strictly, as Python does since 3.13, require them.
 *
 * @module
 */
import { createHash, type KeyObject } from 'node:crypto';
import { implicit, octetString, oid, openDer, sequence } from '@a3s-box/attestation/x509';

const OID = { subjectKeyIdentifier: '2.5.29.14', authorityKeyIdentifier: '2.5.29.35' } as const;
const SEQUENCE = 0x30;
const BIT_STRING = 0x03;
const MAX_KEY = 16 * 1024;
/** Tag of `keyIdentifier` in `AuthorityKeyIdentifier`. */
const KEY_IDENTIFIER = 0;

/** For the certificate of an authority. */
export function subjectKeyIdentifier(publicKey: KeyObject): Uint8Array {
  return extension(OID.subjectKeyIdentifier, octetString(identifierOf(publicKey)));
}

/** @param publicKey of the issuer */
export function authorityKeyIdentifier(publicKey: KeyObject): Uint8Array {
  const identifier = implicit(KEY_IDENTIFIER, identifierOf(publicKey));
  return extension(OID.authorityKeyIdentifier, sequence(identifier));
}

/** The first method of RFC 5280, 4.2.1.2, by which other authorities name their keys as well. */
function identifierOf(publicKey: KeyObject): Uint8Array {
  const key = openDer(publicKey.export({ type: 'spki', format: 'der' }), MAX_KEY).enter();
  key.take(SEQUENCE);
  // Without the number of unused bits.
  return createHash('sha1').update(key.take(BIT_STRING).content.subarray(1)).digest();
}

/** Not critical, as both have to be. */
function extension(id: string, value: Uint8Array): Uint8Array {
  return sequence(oid(id), octetString(value));
}
