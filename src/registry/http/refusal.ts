/**
 * Turns refusals into errors.
 *
 * @module
 */
import { A3sError, type ErrorCode } from '../../errors.ts';
import { shown } from '../hosts/addresses.ts';
import { parseChallenges } from './challenge.ts';
import { readErrorBody } from './error-body.ts';
import type { HttpResponse } from './message.ts';

export interface Refused {
  /** The domain of the images, which `a3s-box login` takes. */
  readonly domain: string;
  /** Whether credentials were sent. */
  readonly known: boolean;
  /** Texts that must not appear in a message, not even in the registry's part of it. */
  readonly secrets: readonly string[];
}

/** Reads what the answer says, and ends it. */
export async function refusal(response: HttpResponse, about: Refused): Promise<A3sError> {
  const said = await readErrorBody(response, about.secrets);
  const { code, message, remedy } = describe(response, about);
  return new A3sError(code, said === '' ? message : `${message} (it says: ${said})`, { remedy });
}

function describe(
  { status, url, headers }: HttpResponse,
  { domain, known }: Refused,
): { code: ErrorCode; message: string; remedy: string } {
  const where = shown(url);
  const lacking = parseChallenges(headers['www-authenticate'] ?? '')?.some(
    ({ parameters }) => parameters.get('error') === 'insufficient_scope',
  );
  // Registries with tokens answer so when they know the user, and the user lacks the right.
  const denied = status === 401 && known && lacking === true;
  if (status === 401 && !denied) {
    return {
      code: 'registry-unauthorized',
      message: known
        ? `${domain} does not accept these credentials for ${where}`
        : `${domain} wants to know who asks for ${where}`,
      remedy: `Run a3s-box login ${domain}; where there is no such repository, check its name.`,
    };
  }
  if (status === 403 || denied) {
    return {
      code: 'registry-denied',
      message: `${domain} denies access to ${where}`,
      remedy: known
        ? `Ask for the right to it, or run a3s-box login ${domain} as another user.`
        : `Run a3s-box login ${domain}, or check the name.`,
    };
  }
  if (status === 404) {
    return {
      code: 'not-in-registry',
      message: `${domain} does not have ${where}`,
      remedy: 'Check the name and the tag.',
    };
  }
  if (status === 429) {
    const seconds = headers['retry-after'];
    const wait = seconds !== undefined && /^\d{1,10}$/.test(seconds) ? ` in ${seconds} s` : '';
    return {
      code: 'registry-rate-limited',
      message: `${domain} limits how often it is asked, and has been asked too often`,
      remedy: `Try again${wait === '' ? ' later' : wait}${known ? '' : `; a3s-box login ${domain} may raise the limit`}.`,
    };
  }
  return {
    code: 'registry-failed',
    message: `${domain} answered ${where} with status ${status}`,
    remedy:
      status >= 500
        ? 'The failure is on its side: try again later.'
        : 'Check that this is a registry, and what it says.',
  };
}
