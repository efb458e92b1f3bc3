/**
 * One certificate of a JSON envelope.
 *
 * @module
 */
import { pemOrDer } from './certificate.ts';
import { jsonMalformed } from './json.ts';

const MAX_SIZE = 0x1_0000;

/**
 * DER of the certificate, which may be PEM.
 *
 * @throws AttestationError `json-malformed` for more than 64 KiB and for anything but one
 */
export function jsonCertificate(bytes: Uint8Array, path: string): Uint8Array {
  if (bytes.length > MAX_SIZE)
    throw jsonMalformed(path, `a certificate of at most ${MAX_SIZE} bytes`);
  const certificate = decode(bytes, path);
  if (certificate === undefined) throw jsonMalformed(path, 'one certificate');
  return certificate;
}

function decode(bytes: Uint8Array, path: string): Uint8Array | undefined {
  try {
    return pemOrDer(bytes, 'CERTIFICATE');
  } catch (error) {
    throw jsonMalformed(path, 'a certificate, DER or PEM', error);
  }
}
