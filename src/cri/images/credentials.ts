/**
 * The credentials that kubelet sends with a pull.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { DEFAULT_DOMAIN } from '../../oci/reference.ts';
import type { Credentials } from '../../registry/registry.ts';
import type { AuthConfig } from '../api/messages.ts';

/** As clients name the registry of names without a host. */
const HUB = new Set(['index.docker.io', 'registry-1.docker.io']);

/**
 * Undefined where there are none, or where they are for another registry than `domain`: no registry
 * gets the credentials of another one. No message quotes any part of them.
 *
 * @throws A3sError `invalid-argument`
 */
export function credentialsFor(
  domain: string,
  auth: AuthConfig | undefined,
): Credentials | undefined {
  if (auth === undefined || !isFor(domain, auth.serverAddress)) return undefined;
  if (auth.username !== '') return { username: auth.username, password: auth.password };
  if (auth.identityToken !== '') return { identityToken: auth.identityToken };
  if (auth.auth !== '') return decoded(auth.auth);
  if (auth.registryToken !== '') return { registryToken: auth.registryToken };
  return undefined;
}

/** An address may be a host, or a URL as in Docker's configuration file. */
function isFor(domain: string, address: string): boolean {
  if (address === '') return true;
  const [host = ''] = address.replace(/^https?:\/\//, '').split('/');
  return (HUB.has(host) ? DEFAULT_DOMAIN : host).toLowerCase() === domain.toLowerCase();
}

/** `USER:PASSWORD` in base64, as in Docker's configuration file. */
function decoded(auth: string): Credentials {
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(auth);
  const text = isBase64 ? Buffer.from(auth, 'base64').toString('utf8') : '';
  const colon = text.indexOf(':');
  if (colon < 0) {
    throw new A3sError(
      'invalid-argument',
      'Cannot use the credentials: auth is not USER:PASSWORD in base64',
      { remedy: 'Correct the image pull secret of the pod.' },
    );
  }
  // Docker fills the password up with NULs.
  const password = text.slice(colon + 1).replace(/\0+$/, '');
  return { username: text.slice(0, colon), password };
}
