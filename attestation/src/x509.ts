/**
 * The strict reader of certificates, for certificates that carry evidence and that AMD did not
 * sign, and the DER that other certificates are made of.
 *
 * @module
 */
export { type Extension, ExtensionSet } from './certificates/extensions.ts';
export { parseEcPublicKey } from './certificates/keys.ts';
export { type Certificate, readForeignCertificate } from './certificates/x509-structures.ts';
export { DerError } from './der/error.ts';
export { openDer } from './der/reader.ts';
export {
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
} from './der/writer.ts';
