/**
 * Envelopes that only one attested guest opens, under keys of its secure processor.
 *
 * @module
 */
export {
  derivedKey,
  type Envelope,
  MAX_ENVELOPE,
  MAX_SEALED,
  parseEnvelope,
  referenceOf,
  seal,
  unseal,
} from './envelope.ts';
export { SEALING_CODES, type SealingCode, SealingError } from './errors.ts';
export {
  ENVELOPE_VERSION,
  encodeHeader,
  KEY_VERSION,
  parseHeader,
  type SealedHeader,
  type SealingTee,
} from './header.ts';
export {
  GUEST_FIELDS,
  keyRequestOf,
  POLICY_FIELDS,
  type SealingKeyRequest,
  type SealingPolicy,
} from './key-request.ts';
export { permitsPolicy, requirePermitted, type SealingGuest } from './permit.ts';
export { isPurpose, MAX_PURPOSE } from './purpose.ts';
