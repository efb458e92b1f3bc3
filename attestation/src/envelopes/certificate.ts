/**
 * One certificate or revocation list of an envelope.
 *
 * @module
 */
import { decodePem, type PemLabel } from './pem.ts';

/** The tag that DER starts with. */
const SEQUENCE = 0x30;

/**
 * DER of one thing that is DER or PEM: hosts put either into envelopes, whatever the specification
 * says. Undefined where there is more than one.
 *
 * Whether the DER is what it should be is for verification to say.
 *
 * @throws AttestationError `pem-malformed` for what starts as no DER and is no strict PEM
 */
export function pemOrDer(bytes: Uint8Array, label: PemLabel): Uint8Array | undefined {
  if (bytes[0] === SEQUENCE) return new Uint8Array(bytes);
  const [der, ...more] = decodePem(bytes, label);
  return more.length === 0 ? der : undefined;
}
