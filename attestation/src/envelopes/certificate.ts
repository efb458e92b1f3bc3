/**
 * One certificate of an envelope.
 *
 * @module
 */
import { decodePem } from './pem.ts';

/** The tag that DER starts with. */
const SEQUENCE = 0x30;

/**
 * DER of one certificate that is DER or PEM: hosts put either into envelopes, whatever the
 * specification says.
 *
 * Whether DER is a certificate is for verification to say.
 *
 * @throws AttestationError `pem-malformed` for PEM that is not strict, or is not one certificate
 */
export function certificateOf(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] === SEQUENCE) return new Uint8Array(bytes);
  const [certificate, ...more] = decodePem(bytes, 'CERTIFICATE');
  return more.length === 0 ? certificate : undefined;
}
