/**
 * Follows redirects by hand, so that what is meant for one host does not reach another.
 *
 * @module
 */

import { A3sError } from '../../errors.ts';
import { isOwnOrigin } from '../auth/own-origin.ts';
import { shown } from '../hosts/addresses.ts';
import type { TlsTrust } from '../hosts/tls-trust.ts';
import { discard } from '../http/error-body.ts';
import type { HttpRequest, HttpResponse, Send } from '../http/message.ts';

const MAX_REDIRECTS = 10;
const MAX_LOCATION = 16 * 1024;

/** Keep method and body. */
const SAME_METHOD = [307, 308];
const REDIRECTS = [301, 302, 303, ...SAME_METHOD];

/** Of one host alone. */
const PRIVATE = ['authorization', 'cookie', 'proxy-authorization'];

/**
 * The same, until an answer is no redirect, or one that the caller expects.
 *
 * @param foreign the TLS trust for connections to another host, without any client certificate
 * @throws A3sError `registry-failed` for a redirect that is not followed
 */
export function followRedirects(
  send: Send,
  expected: readonly number[],
  foreign: (url: URL) => Promise<TlsTrust>,
): Send {
  return async (first) => {
    let request = first;
    for (let count = 0; ; count += 1) {
      const response = await send(request);
      if (!REDIRECTS.includes(response.status) || expected.includes(response.status)) {
        return response;
      }
      await discard(response);
      if (count === MAX_REDIRECTS) {
        throw refused(first.url, `it redirects more than ${MAX_REDIRECTS} times`);
      }
      request = await next(request, response, foreign);
    }
  };
}

async function next(
  request: HttpRequest,
  response: HttpResponse,
  foreign: (url: URL) => Promise<TlsTrust>,
): Promise<HttpRequest> {
  const url = targetOf(request, response.headers['location']);
  const reads = request.method === 'GET' || request.method === 'HEAD';
  if (!reads && !SAME_METHOD.includes(response.status)) {
    throw refused(
      request.url,
      `it redirects a ${request.method} with ${response.status}, which would make a GET of it`,
    );
  }
  if (request.url.protocol === 'https:' && url.protocol !== 'https:') {
    throw refused(request.url, `it redirects from https to ${shown(url)}`);
  }
  if (isOwnOrigin(url, request.url)) return { ...request, url };
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => !PRIVATE.includes(name.toLowerCase())),
  );
  return { ...request, url, headers, trust: await foreign(url) };
}

function targetOf({ url }: HttpRequest, location: string | undefined): URL {
  if (location === undefined) throw refused(url, 'it redirects without saying where to');
  const target =
    location.length <= MAX_LOCATION && URL.canParse(location, url.href)
      ? new URL(location, url)
      : undefined;
  if (
    target === undefined ||
    !['http:', 'https:'].includes(target.protocol) ||
    target.username !== '' ||
    target.password !== ''
  ) {
    throw refused(url, 'it redirects to something that is not a web address');
  }
  target.hash = '';
  return target;
}

function refused(url: URL, why: string): A3sError {
  return new A3sError('registry-failed', `Cannot use the answer of ${url.host}: ${why}`, {
    remedy: "Ask the registry's operator.",
  });
}
