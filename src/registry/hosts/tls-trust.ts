/**
 * The TLS trust for connections to a host.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { HostCertificates } from './certs-directory.ts';

export interface TlsTrust {
  /** Connections are shared between requests with the same identity. */
  readonly identity: string;
  readonly rejectUnauthorized: boolean;
  /**
   * Created once for each pool of connections: reading a bundle of authorities takes longer than a
   * handshake.
   */
  secureContext(): SecureContext;
}

/**
 * @param roots PEM: what is trusted beside the host's own authorities
 * @param verified false takes any certificate
 */
export function tlsTrust(
  { authorities, clients }: HostCertificates,
  roots: readonly string[],
  verified: boolean,
): TlsTrust {
  const ca = [...roots, ...authorities];
  const cert = clients.map((client) => client.cert);
  const key = clients.map((client) => client.key);
  const hash = createHash('sha256');
  hash.update(JSON.stringify([verified, ca, cert, key]));
  return {
    identity: hash.digest('hex'),
    rejectUnauthorized: verified,
    secureContext: () => createSecureContext({ ca, ...(cert.length === 0 ? {} : { cert, key }) }),
  };
}
