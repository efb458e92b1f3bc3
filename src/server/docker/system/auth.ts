/**
 * `POST /auth`: whether a registry takes these credentials. Nothing of them is kept.
 *
 * @module
 */
import { AuthBody, LoggedIn } from '../../../docker-api/auth.ts';
import { A3sError } from '../../../errors.ts';
import { DEFAULT_DOMAIN, parseReference } from '../../../oci/reference.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { goBody } from '../go-document.ts';
import { credentialsOf } from '../images/registry-auth.ts';
import { query } from '../query.ts';

export const AUTH_ROUTES: readonly Route[] = [
  route('POST', '/auth', {
    access: 'owner',
    summary: 'Whether a registry takes these credentials; nothing of them is kept',
    answers: { 200: LoggedIn },
    query: query({}),
    body: goBody(AuthBody),
    handler: async ({ rt, body, signal }) => {
      const credentials = credentialsOf(body);
      const domain = domainOf(body.serveraddress);
      const signals = AbortSignal.any([signal, rt.shutdown]);
      const { identityToken } = await rt.registry.login(domain, credentials, signals);
      return json({ Status: 'Login Succeeded', IdentityToken: identityToken ?? '' });
    },
  }),
];

/** `https://index.docker.io/v1/` is what Docker calls its own registry; others are hosts, or URLs of them. */
function domainOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').replace(/\/.*$/s, '');
  if (host === '' || host === 'index.docker.io') return DEFAULT_DOMAIN;
  try {
    const { domain } = parseReference(`${host}/image`);
    if (domain === host) return domain;
    // A host without dot or port is part of a name in a reference, and a registry here.
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
