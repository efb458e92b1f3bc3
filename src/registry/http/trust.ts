/**
 * What TLS connections to a host rest on.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import type { HostCertificates } from '../hosts/certs-directory.ts';

export interface Trust {
  /** Connections are shared between requests with the same identity. */
  readonly identity: string;
  /** For `tls.connect`. */
  readonly options: {
    readonly rejectUnauthorized: boolean;
    readonly ca?: string[];
    readonly cert?: string[];
    readonly key?: string[];
  };
}

/** @param verified false takes any certificate */
export function trustIn({ authorities, clients }: HostCertificates, verified: boolean): Trust {
  const hash = createHash('sha256');
  const parts = [authorities, clients.map(({ cert }) => cert), clients.map(({ key }) => key)];
  hash.update(JSON.stringify([verified, ...parts]));
  return {
    identity: hash.digest('hex'),
    options: {
      rejectUnauthorized: verified,
      // Without any of our own, the platform's defaults hold, NODE_EXTRA_CA_CERTS among them.
      ...(authorities.length === 0 ? {} : { ca: [...rootCertificates, ...authorities] }),
      ...(clients.length === 0
        ? {}
        : { cert: clients.map(({ cert }) => cert), key: clients.map(({ key }) => key) }),
    },
  };
}
