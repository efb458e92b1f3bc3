/**
 * The answer of a token server: a token, and the time until which it is used.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';

export interface Token {
  readonly value: string;
  /**
   * The time at which a new token is fetched, in milliseconds since 1970; before this one expires.
   */
  readonly renewAt: number;
  readonly refreshToken: string | undefined;
}

export const MAX_TOKEN_ANSWER = 1024 * 1024;
/** Bound on the token: some registries refuse a longer request head. */
const MAX_TOKEN = 32 * 1024;

const DEFAULT_SECONDS = 60;
const LONGEST_SECONDS = 24 * 60 * 60;
/**
 * How long before its end a token is no longer used, so that it lasts for the request it is sent
 * with.
 */
const EARLY_MS = 30_000;

const TOKEN = z
  .string()
  .max(MAX_TOKEN)
  .regex(/^[\x21-\x7e]*$/, 'it has characters that no token has');

const ANSWER = z.object({
  token: TOKEN.nullish(),
  access_token: TOKEN.nullish(),
  refresh_token: TOKEN.nullish(),
  expires_in: z.number().nullish(),
  issued_at: z.string().max(100).nullish(),
});

/**
 * @param now in milliseconds since 1970
 * @param server for messages
 * @throws A3sError `registry-failed` when there is no usable token in it
 */
export function readTokenAnswer(bytes: Buffer, now: number, server: string): Token {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    // The message of JSON.parse quotes the text, which may hold a token.
    throw unusable(server, 'it is not JSON');
  }
  const answer = narrow(ANSWER, value);
  if (!answer.success) {
    const faults = answer.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw unusable(server, faults.slice(0, 3).join('; ').slice(0, 300));
  }
  const { token, access_token, refresh_token, expires_in, issued_at } = answer.data;
  const found = access_token || token;
  if (!found) throw unusable(server, 'there is no token in it');
  return {
    value: found,
    renewAt: renewal(expires_in ?? DEFAULT_SECONDS, issued_at ?? undefined, now),
    refreshToken: refresh_token || undefined,
  };
}

function renewal(seconds: number, issuedAt: string | undefined, now: number): number {
  const lifetime = Math.min(Math.max(seconds, 0), LONGEST_SECONDS) * 1000;
  const issued = issuedAt === undefined ? Number.NaN : Date.parse(issuedAt);
  const early = Math.min(EARLY_MS, lifetime / 4);
  const end = issued + lifetime - early;
  // With a server's clock that is ahead, a token would seem to last too long; with one that is
  // behind, it would seem expired.
  return issued <= now && end > now ? end : now + lifetime - early;
}

function unusable(server: string, why: string): A3sError {
  return new A3sError(
    'registry-failed',
    `Cannot use the answer of the token server ${server}: ${why}`,
    {
      remedy: "Try again later, or ask the registry's operator.",
    },
  );
}
