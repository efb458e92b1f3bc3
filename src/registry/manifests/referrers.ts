/**
 * The manifests that name another one as their subject (distribution-spec 1.1, "Listing
 * Referrers"). Nothing of them is verified: an entry only shows that somebody pushed it.
 *
 * @module
 */

import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { type Digest, hexOf } from '../../oci/digest.ts';
import { digestText } from '../../oci/digest-text.ts';
import { OCI_INDEX } from '../../oci/media-types.ts';
import { isOwnOrigin } from '../auth/own-origin.ts';
import { type Document, exchangeDocument } from '../exchange/exchange.ts';
import { broken, quoted, type RepositoryContext } from '../exchange/repository-context.ts';
import type { Referrer } from '../registry.ts';
import { getManifest, MAX_MANIFEST_BYTES } from './manifests.ts';
import { bareType, parseJson } from './manifests-type.ts';

const MAX_PAGES = 32;
const MAX_REFERRERS = 1024;

const Descriptor = z.looseObject({
  mediaType: z.string().max(255),
  digest: digestText,
  size: z.int().min(0),
  artifactType: z.string().max(255).optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
});
export type ReferrerDescriptor = z.infer<typeof Descriptor>;

const Index = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.literal(OCI_INDEX).optional(),
  manifests: z.array(Descriptor).max(MAX_REFERRERS).nullish(),
});
export type ReferrersIndex = z.infer<typeof Index>;

/**
 * @throws A3sError `too-large` for more than 1024, `registry-failed` for an answer that is no list
 * of referrers
 */
export async function listReferrers(
  context: RepositoryContext,
  subject: Digest,
  artifactType: string | undefined,
): Promise<readonly Referrer[]> {
  const found =
    (await askApi(context, subject, artifactType)) ??
    (await readFallback(context, subject))?.manifests ??
    [];
  const distinct = new Map(found.map((descriptor) => [descriptor.digest, descriptor]));
  return [...distinct.values()]
    .map(referrerOf)
    .filter((referrer) => artifactType === undefined || referrer.artifactType === artifactType);
}

/** The tag that stands for the API where a registry has none: `sha256-…`. */
export function fallbackTag(subject: Digest): string {
  return `sha256-${hexOf(subject)}`;
}

/** The index at the fallback tag; undefined where there is none. */
export async function readFallback(
  context: RepositoryContext,
  subject: Digest,
): Promise<ReferrersIndex | undefined> {
  const tag = fallbackTag(subject);
  const manifest = await getManifest(context, tag);
  if (manifest === undefined) return undefined;
  const what = `referrers at ${context.name}:${tag}`;
  if (manifest.mediaType !== OCI_INDEX) {
    throw broken(what, `a ${quoted(manifest.mediaType)} is no list of referrers`);
  }
  return parseIndex(manifest.bytes, what);
}

/** Undefined where the registry has no such API. */
async function askApi(
  context: RepositoryContext,
  subject: Digest,
  artifactType: string | undefined,
): Promise<ReferrerDescriptor[] | undefined> {
  const what = `referrers of ${context.name}@${subject}`;
  const found: ReferrerDescriptor[] = [];
  let target: string | URL = `${context.path}/referrers/${subject}`;
  for (let page = 0; ; page += 1) {
    if (page === MAX_PAGES) throw tooMany(what, `${MAX_PAGES} pages`);
    const answer: Document = await exchangeDocument(
      context,
      {
        method: 'GET',
        target,
        ...(page === 0 && artifactType !== undefined ? { query: { artifactType } } : {}),
        headers: { accept: OCI_INDEX },
        expected: page === 0 ? [200, 400, 404, 405, 406, 501] : [200],
        mirrorMayDeny: context.mirrorMayDeny,
      },
      { what, maxBytes: MAX_MANIFEST_BYTES },
    );
    const isIndex = bareType(answer.headers['content-type']) === OCI_INDEX;
    // A proxy before a registry without the API may answer every path with its own page.
    if (page === 0 && (answer.status !== 200 || !isIndex)) return undefined;
    found.push(...(parseIndex(answer.bytes, what).manifests ?? []));
    if (found.length > MAX_REFERRERS) throw tooMany(what, `${MAX_REFERRERS}`);
    const next = nextPage(answer, what);
    if (next === undefined) return found;
    target = next;
  }
}

/** The target of `Link: <…>; rel="next"` (RFC 8288), which has to be at the same server. */
function nextPage({ headers, url }: Document, what: string): URL | undefined {
  const text = headers['link'];
  if (text === undefined) return undefined;
  const [, target] = /^<([^<>]{1,8192})>\s*;\s*rel="?next"?\s*$/i.exec(text) ?? [];
  const next =
    target !== undefined && URL.canParse(target, url.href) ? new URL(target, url) : undefined;
  if (next !== undefined && isOwnOrigin(next, url)) return next;
  throw broken(what, `the registry continues them at ${quoted(text)}`);
}

function parseIndex(bytes: Buffer, what: string): ReferrersIndex {
  try {
    return Index.parse(parseJson(bytes));
  } catch (cause) {
    throw broken(what, `it is no list of referrers${firstFault(cause)}`, cause);
  }
}

function firstFault(cause: unknown): string {
  const [issue] = cause instanceof z.ZodError ? cause.issues : [];
  if (issue === undefined) return '';
  return ` (${issue.path.map(String).join('.').slice(0, 100)}: ${issue.message.slice(0, 200)})`;
}

function referrerOf(descriptor: ReferrerDescriptor): Referrer {
  const { digest, size, mediaType, artifactType, annotations } = descriptor;
  return { digest, size, mediaType, artifactType, annotations: annotations ?? {} };
}

function tooMany(what: string, bound: string): A3sError {
  return new A3sError('too-large', `Cannot read ${what}: there are more than ${bound}`);
}
