/**
 * The header in which Docker's clients send credentials to the server.
 *
 * @module
 */
import type { AuthBody } from '../../docker-api/system/auth.ts';
import type { Context } from '../context.ts';
import { type Credentials, NOBODY } from './credentials.ts';
import { findCredentials } from './credentials-store.ts';
import { registryKey } from './registry-key.ts';

type Headers = Readonly<Record<string, string>>;

/**
 * The header for a repository; none where there are no credentials for its registry.
 *
 * @param repository canonical, without tag and digest: `registry.example:5000/team/app`
 */
export async function registryAuth(
  { env }: Pick<Context, 'env'>,
  repository: string,
): Promise<Headers> {
  const credentials = await findCredentials(env, repository);
  if (credentials === undefined) return {};
  const document = JSON.stringify(authDocument(registryKey(repository), credentials));
  return { 'x-registry-auth': Buffer.from(document).toString('base64url') };
}

/** The body of `POST /auth`, which the header encodes. */
export function authDocument(key: string, credentials: Credentials = NOBODY): AuthBody {
  const { username, password, identityToken, registryToken } = credentials;
  const fields = {
    username,
    password,
    identitytoken: identityToken,
    registrytoken: registryToken,
    serveraddress: key,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}
