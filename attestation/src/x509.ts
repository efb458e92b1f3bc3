/**
 * The strict reader of certificates, for certificates that carry evidence and that AMD did not
 * sign.
 *
 * @module
 */
export { type Extension, ExtensionSet } from './certificates/extensions.ts';
export { parseEcPublicKey } from './certificates/keys.ts';
export { type Certificate, readForeignCertificate } from './certificates/x509-structures.ts';
export { DerError } from './der/error.ts';
