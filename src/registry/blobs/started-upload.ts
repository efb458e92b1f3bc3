/**
 * An upload that a registry has started (distribution-spec 1.1, "Pushing blobs"): its location and
 * its progress.
 *
 * @module
 */

import { Cut } from '../exchange/attempts.ts';
import { type Exchange, exchangeHead } from '../exchange/exchange.ts';
import { broken, quoted, type RepositoryContext } from '../exchange/repository-context.ts';

export interface StartedUpload {
  readonly location: URL;
  /** Bytes that the registry has. */
  readonly offset: number;
  /** The fewest bytes that a chunk may have, except for the last one. */
  readonly minChunk: number;
}

const MAX_LOCATION = 8 * 1024;

/** Failures of the registry that may have passed at the next attempt. */
export const PASSING_FAILURES = [500, 502, 503, 504];

/** @throws Cut for a failure that may pass */
export function requireWorking({ status }: Pick<Exchange, 'status'>, what: string): void {
  if (!PASSING_FAILURES.includes(status)) return;
  throw new Cut(what, `the registry answers with status ${status}`);
}

export async function startUpload(
  context: RepositoryContext,
  what: string,
): Promise<StartedUpload> {
  const head = await exchangeHead(
    context,
    {
      method: 'POST',
      target: `${context.path}/blobs/uploads/`,
      headers: { 'content-length': '0' },
      expected: [202, ...PASSING_FAILURES],
    },
    what,
  );
  requireWorking(head, what);
  return startedBy(head, what);
}

/**
 * The upload that an answer with status 202 starts.
 *
 * @throws A3sError `registry-failed` without a usable location
 */
export function startedBy(head: Pick<Exchange, 'headers' | 'url'>, what: string): StartedUpload {
  const text = head.headers['oci-chunk-min-length'];
  if (text !== undefined && !/^\d{1,15}$/.test(text)) {
    throw broken(what, `the registry wants chunks of ${quoted(text)} bytes, which is no number`);
  }
  return { location: locationOf(head, what), offset: 0, minChunk: Number(text ?? '0') };
}

/** The upload after an answer to one of its requests, which may have moved it. */
export function moved(
  upload: StartedUpload,
  head: Pick<Exchange, 'headers' | 'url'>,
  offset: number,
  what: string,
): StartedUpload {
  const { location } = head.headers;
  if (location === undefined) return { ...upload, offset };
  return { ...upload, offset, location: locationOf(head, what) };
}

/**
 * Asks for the progress of an upload; undefined when it cannot be resumed, or the registry does not
 * say from where.
 */
export async function askUpload(
  context: RepositoryContext,
  upload: StartedUpload,
  size: number,
  what: string,
): Promise<StartedUpload | undefined> {
  const head = await exchangeHead(
    context,
    { method: 'GET', target: upload.location, expected: [200, 204, 400, 404, 405] },
    what,
  );
  if (head.status >= 300) return undefined;
  const offset = endOfRange(head.headers, what);
  // Docker's registry says `0-0` both for one byte and for none.
  if (offset === undefined || offset <= 1) return undefined;
  if (offset > size) throw broken(what, `the registry has ${offset} bytes of an upload of ${size}`);
  return moved(upload, head, offset, what);
}

/** Cancels an upload. The registry drops it by itself some day, so a refusal is no failure. */
export async function cancelUpload(
  context: RepositoryContext,
  { location }: StartedUpload,
  what: string,
): Promise<void> {
  const expected = [200, 202, 204, 400, 401, 403, 404, 405, 500, 501];
  await exchangeHead(context, { method: 'DELETE', target: location, expected }, what);
}

/** The number of bytes in `Range: 0-N`; undefined without the header. */
export function endOfRange(headers: Exchange['headers'], what: string): number | undefined {
  const text = headers['range'];
  if (text === undefined) return undefined;
  const [, last] = /^(?:bytes=)?0-(\d{1,15})$/.exec(text) ?? [];
  if (last === undefined) throw broken(what, `the registry says that it has ${quoted(text)}`);
  return Number(last) + 1;
}

/** Adds the digest to a location, whose own query stays byte by byte what the registry wrote. */
export function withDigest(location: URL, digest: string): URL {
  const query = location.search === '' ? '?' : `${location.search}&`;
  const url = new URL(location);
  url.search = `${query}digest=${encodeURIComponent(digest)}`;
  return url;
}

function locationOf({ headers, url }: Pick<Exchange, 'headers' | 'url'>, what: string): URL {
  const text = headers['location'];
  if (text === undefined) throw broken(what, 'the registry does not say where to upload it');
  if (text.length > MAX_LOCATION) throw broken(what, 'the registry gives too long a location');
  const location = URL.canParse(text, url.href) ? new URL(text, url) : undefined;
  const usable =
    location !== undefined &&
    ['http:', 'https:'].includes(location.protocol) &&
    location.username === '' &&
    location.password === '';
  if (usable) return location;
  throw broken(what, `the registry wants it uploaded to ${quoted(text)}, which is no web address`);
}
