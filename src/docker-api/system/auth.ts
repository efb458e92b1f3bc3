/**
 * Credentials for one registry, and whether it takes them.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

/** A bearer token can be long. */
const MAX_SECRET = 64 * 1024;

const text = z
  .string()
  .max(MAX_SECRET)
  .optional()
  .transform((value) => (value === '' ? undefined : value));

/**
 * What the header `X-Registry-Auth` encodes. Docker's clients send further members, `auth` and
 * `email`, that say nothing more.
 */
export const AuthConfig = z.object({
  username: text,
  password: text,
  identitytoken: text,
  registrytoken: text,
});

export const AuthBody = AuthConfig.extend({ serveraddress: z.string().max(4096).default('') });
export type AuthBody = Document<typeof AuthBody>;

export const LoggedIn = z.strictObject({ Status: z.string(), IdentityToken: z.string() });
export type LoggedIn = Document<typeof LoggedIn>;
