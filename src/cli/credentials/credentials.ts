/**
 * The credentials of a user at a registry, and Docker's format of them.
 *
 * @module
 */
import { type JsonObject, stringOf } from '../client/json.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** A refresh token, which replaces the password. */
  readonly identityToken: string;
  /** A bearer token, sent unchanged. */
  readonly registryToken: string;
}

export const NOBODY: Credentials = {
  username: '',
  password: '',
  identityToken: '',
  registryToken: '',
};

/** Whether there are any credentials for a registry. */
export function isSomebody({ password, identityToken, registryToken }: Credentials): boolean {
  return password !== '' || identityToken !== '' || registryToken !== '';
}

/**
 * An entry of `auths` in `config.json` or `auth.json`.
 *
 * @throws RangeError where `auth` is not the base64 form of `user:password`; the message does not
 * quote it
 */
export function readEntry(entry: JsonObject): Credentials {
  const auth = stringOf(entry['auth']);
  const pair =
    auth === ''
      ? { username: stringOf(entry['username']), password: stringOf(entry['password']) }
      : decodeAuth(auth);
  return {
    ...pair,
    identityToken: stringOf(entry['identitytoken']),
    registryToken: stringOf(entry['registrytoken']),
  };
}

function decodeAuth(auth: string): { username: string; password: string } {
  const text = /^[A-Za-z0-9+/]+={0,2}$/.test(auth) ? Buffer.from(auth, 'base64').toString() : '';
  const colon = text.indexOf(':');
  if (colon < 0) throw new RangeError('"auth" must be user:password in base64');
  // Docker used to pad short passwords with NUL.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}

/** The entry that Docker writes: a token replaces the password. */
export function entryOf({ username, password, identityToken }: Credentials): JsonObject {
  const secret = identityToken === '' ? password : '';
  return {
    auth: Buffer.from(`${username}:${secret}`).toString('base64'),
    ...(identityToken === '' ? {} : { identitytoken: identityToken }),
  };
}
