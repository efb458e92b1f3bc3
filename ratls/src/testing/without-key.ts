/**
 * A certificate in the hands of a party without its key.
 *
 * @module
 */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { SelfSigned } from '../server/self-signed.ts';

/** Bytes of a point on P-384. */
const POINT = 97;

/**
 * A box's certificate with a key that is not its: the point says that it is, so that a TLS library
 * takes the two for a pair.
 */
export function withoutKey(shown: string): SelfSigned {
  const certificate = new X509Certificate(shown);
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const own = privateKey.export({ type: 'pkcs8', format: 'der' });
  const der = Buffer.concat([own.subarray(0, -POINT), spki.subarray(-POINT)]);
  const lines = der.toString('base64');
  const key = `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
  return { key, certificate: certificate.toString(), spki };
}
