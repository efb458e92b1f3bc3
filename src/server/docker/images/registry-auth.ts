/**
 * `X-Registry-Auth`: the credentials that a client sends along for one registry.
 *
 * @module
 */
import type * as z from 'zod';
import { AuthConfig } from '../../../docker-api/system/auth.ts';
import { A3sError } from '../../../errors.ts';
import { narrow } from '../../../narrow.ts';
import type { Credentials } from '../../../registry/registry.ts';

const HEADER = 'x-registry-auth';
const MAX_HEADER = 64 * 1024;

export function credentialsOf(config: z.output<typeof AuthConfig>): Credentials {
  const { username, password, identitytoken, registrytoken } = config;
  return { username, password, identityToken: identitytoken, registryToken: registrytoken };
}

/**
 * Undefined where the client has no credentials. No message quotes any part of them.
 *
 * @throws A3sError `invalid-argument`
 */
export function registryAuth(headers: Headers): Credentials | undefined {
  const header = headers.get(HEADER);
  if (header === null || header === '') return undefined;
  const parsed = narrow(AuthConfig, decode(header));
  if (!parsed.success) throw malformed();
  const credentials = credentialsOf(parsed.data);
  const isNobody = Object.values(credentials).every((value) => value === undefined);
  return isNobody ? undefined : credentials;
}

/** Clients send base64 in either alphabet. */
function decode(header: string): unknown {
  if (header.length > MAX_HEADER || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(header)) throw malformed();
  try {
    const bytes = Buffer.from(header, 'base64url');
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The cause would quote what may be a password.
    throw malformed();
  }
}

function malformed(): A3sError {
  return new A3sError(
    'invalid-argument',
    'The header X-Registry-Auth is not what it must be: a JSON object in base64url',
    { remedy: 'Log in again with: a3s-box login' },
  );
}
