/**
 * `POST /auth`: whether a registry accepts these credentials. They are not kept.
 *
 * @module
 */
import type { Runtime } from '../../../boxes/runtime.ts';
import { AuthBody, LoggedIn } from '../../../docker-api/system/auth.ts';
import { A3sError } from '../../../errors.ts';
import { DEFAULT_DOMAIN, parseReference } from '../../../oci/reference.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { goBody } from '../go-document.ts';
import { credentialsOf } from '../images/registry-auth.ts';
import { query } from '../query.ts';

export const AUTH_ROUTES: readonly Route<Pick<Runtime, 'registry' | 'shutdown'>>[] = [
  route('POST', '/auth', {
    access: 'owner',
    summary: 'Check credentials against a registry; they are not stored',
    answers: { 200: LoggedIn },
    query: query({}),
    body: goBody(AuthBody),
    handler: async ({ body, signal }, rt) => {
      const credentials = credentialsOf(body);
      const domain = domainOf(body.serveraddress);
      const signals = AbortSignal.any([signal, rt.shutdown]);
      const { identityToken } = await rt.registry.login(domain, credentials, signals);
      return json({ Status: 'Login Succeeded', IdentityToken: identityToken ?? '' });
    },
  }),
];

/**
 * Docker calls its own registry `https://index.docker.io/v1/`. Other registries are given as hosts
 * or URLs.
 */
function domainOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').replace(/\/.*$/s, '');
  if (host === '' || host === 'index.docker.io') return DEFAULT_DOMAIN;
  try {
    const { domain } = parseReference(`${host}/image`);
    if (domain === host) return domain;
    // In a reference, a host without dot or port is a part of the name. Here it is a registry.
    if (parseReference(`${host}:443/image`).domain === `${host}:443`) return host;
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
  }
  throw new A3sError(
    'invalid-argument',
    `Cannot log in to ${JSON.stringify(host.slice(0, 200))}: it is not the host of a registry`,
    { remedy: 'Write it as HOST or HOST:PORT.' },
  );
}
