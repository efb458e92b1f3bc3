/**
 * `X-Registry-Auth` and `X-Registry-Config`: the credentials that a client sends along for one
 * registry, and for all.
 *
 * @module
 */
import * as z from 'zod';
import { AuthConfig } from '../../../docker-api/system/auth.ts';
import { A3sError } from '../../../errors.ts';
import { narrow } from '../../../narrow.ts';
import type { Credentials } from '../../../registry/registry.ts';

const HEADER = 'x-registry-auth';
const CONFIG_HEADER = 'x-registry-config';
const MAX_HEADER = 64 * 1024;
/** As clients name the registry of names without a host. */
const HUB = 'index.docker.io';

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
  const parsed = narrow(AuthConfig, decode(header, 'X-Registry-Auth'));
  if (!parsed.success) throw malformed('X-Registry-Auth');
  return unlessNobody(credentialsOf(parsed.data));
}

const Config = z.record(z.string().max(4096), AuthConfig);

/**
 * By the host of the registry, as names of images have it.
 *
 * @throws A3sError `invalid-argument`
 */
export function registryConfig(headers: Headers): ReadonlyMap<string, Credentials> {
  const logins = new Map<string, Credentials>();
  const header = headers.get(CONFIG_HEADER);
  if (header === null || header === '') return logins;
  const parsed = narrow(Config, decode(header, 'X-Registry-Config'));
  if (!parsed.success) throw malformed('X-Registry-Config');
  for (const [address, config] of Object.entries(parsed.data)) {
    const [host = ''] = address.replace(/^https?:\/\//, '').split('/');
    const credentials = unlessNobody(credentialsOf(config));
    if (credentials !== undefined) logins.set(host === HUB ? 'docker.io' : host, credentials);
  }
  return logins;
}

function unlessNobody(credentials: Credentials): Credentials | undefined {
  const isNobody = Object.values(credentials).every((value) => value === undefined);
  return isNobody ? undefined : credentials;
}

/** Clients send base64 in either alphabet. */
function decode(header: string, name: string): unknown {
  if (header.length > MAX_HEADER || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(header)) throw malformed(name);
  try {
    const bytes = Buffer.from(header, 'base64url');
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The cause would quote what may be a password.
    throw malformed(name);
  }
}

function malformed(name: string): A3sError {
  return new A3sError(
    'invalid-argument',
    `The header ${name} is not what it must be: a JSON object in base64url`,
    { remedy: 'Log in again with: a3s-box login' },
  );
}
