/**
 * Manifests in a registry (distribution-spec 1.1, "Pulling manifests", "Pushing Manifests"). Their
 * digests are computed here; the registry's values are only compared with them.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type Digest, digestOf, isDigest } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import {
  contentLength,
  type Document,
  type Exchange,
  exchangeDocument,
  exchangeHead,
} from '../exchange/exchange.ts';
import { broken, quoted, type RepositoryContext } from '../exchange/repository-context.ts';
import type { BlobDescriptor, RemoteManifest } from '../registry.ts';
import { ACCEPTED_TYPES, bareType, manifestType } from './manifests-type.ts';

/** The distribution specification asks registries to accept this size, and clients to bound it. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Tags of signatures, and of lists of referrers. */
const BESIDE_AN_IMAGE = /^sha256-[0-9a-f]{64}(?:\.[a-z]+)?$/;

const ACCEPT = { accept: ACCEPTED_TYPES.join(', ') };

/** After a wrong answer of a mirror, another mirror is asked, and then the registry itself. */
const MAX_SOURCES = 10;

/**
 * @throws A3sError `registry-failed` when it is not what was asked for; undefined where there is
 * none
 */
export async function getManifest(
  context: RepositoryContext,
  reference: string,
): Promise<RemoteManifest | undefined> {
  const { what, target } = locate(context, reference);
  for (let source = 1; ; source += 1) {
    const { distrust, ...answer } = await exchangeDocument(
      context,
      {
        ...{ method: 'GET', target, headers: ACCEPT, expected: [200, 404] },
        mirrorMayDeny: context.mirrorMayDeny && BESIDE_AN_IMAGE.test(reference),
      },
      { what, maxBytes: MAX_MANIFEST_BYTES },
    );
    try {
      return manifestOf(answer, reference, what);
    } catch (error) {
      if (distrust === undefined || source === MAX_SOURCES) throw error;
      distrust();
    }
  }
}

function manifestOf(
  { status, headers, bytes }: Document,
  reference: string,
  what: string,
): RemoteManifest | undefined {
  if (status === 404) return undefined;
  const digest = digestOf(bytes);
  if (isDigest(reference) && digest !== reference) {
    throw broken(what, `its content has the digest ${digest}`);
  }
  checkDigestHeader(headers, digest, what);
  return { digest, mediaType: manifestType(bytes, headers['content-type'], what), bytes };
}

/** Trusts the registry's headers, except that the digest has to match a requested digest. */
export async function describeManifest(
  context: RepositoryContext,
  reference: string,
): Promise<(BlobDescriptor & { mediaType: string }) | undefined> {
  const { what, target } = locate(context, reference);
  const { status, headers } = await exchangeHead(
    context,
    { method: 'HEAD', target, headers: ACCEPT, expected: [200, 404, 405] },
    what,
  );
  if (status === 404) return undefined;
  const mediaType = bareType(headers['content-type']);
  const digest = isDigest(reference) ? reference : digestHeader(headers, what);
  const size = contentLength(headers, what);
  if (status === 200 && digest !== undefined && size !== undefined) {
    checkDigestHeader(headers, digest, what);
    if (ACCEPTED_TYPES.includes(mediaType)) return { digest, size, mediaType };
  }
  const manifest = await getManifest(context, reference);
  if (manifest === undefined) return undefined;
  const { bytes, ...found } = manifest;
  return { ...found, size: bytes.length };
}

/** Sends a manifest as it is; returns the answer's headers beside its digest. */
export async function sendManifest(
  context: RepositoryContext,
  reference: string,
  mediaType: string,
  bytes: Buffer,
): Promise<{ readonly digest: Digest; readonly headers: Exchange['headers'] }> {
  const { what, target } = locate(context, reference);
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw new A3sError(
      'too-large',
      `Cannot push ${what}: it has ${bytes.length} bytes, and registries take ${MAX_MANIFEST_BYTES}`,
    );
  }
  const digest = digestOf(bytes);
  if (isDigest(reference) && reference !== digest) {
    throw new A3sError('invalid-argument', `Cannot push ${what}: its digest is ${digest}`);
  }
  manifestType(bytes, mediaType, what);
  const { headers } = await exchangeHead(
    context,
    {
      method: 'PUT',
      target,
      headers: { 'content-type': mediaType },
      body: bytes,
      // Some registries answer 200 or 202 instead of the specification's 201.
      expected: [200, 201, 202],
    },
    what,
  );
  checkDigestHeader(headers, digest, what);
  return { digest, headers };
}

/**
 * Compares what the registry says of the content with what is known of it.
 *
 * @throws A3sError `registry-failed`
 */
export function checkDigestHeader(
  headers: Exchange['headers'],
  expected: Digest,
  what: string,
): void {
  const said = digestHeader(headers, what);
  if (said === undefined || said === expected) return;
  throw broken(what, `the registry says its digest is ${said}, and it is ${expected}`);
}

/** `Docker-Content-Digest`; never used before it was compared. */
function digestHeader(headers: Exchange['headers'], what: string): Digest | undefined {
  const text = headers['docker-content-digest'];
  if (text === undefined || isDigest(text)) return text;
  throw broken(what, `the registry sends ${quoted(text)} as its digest, which is none`);
}

/** A reference as part of a URL, after a check that it is a plain tag or digest. */
function locate(
  { name, path }: RepositoryContext,
  reference: string,
): { readonly what: string; readonly target: string } {
  const full = `${name}${reference.includes(':') ? '@' : ':'}${reference}`;
  const { tag, digest } = parseReference(full);
  if (reference !== tag && reference !== digest) {
    throw new A3sError('invalid-reference', `Cannot use ${full}: it is not one tag or one digest`);
  }
  return { what: `manifest ${full}`, target: `${path}/manifests/${reference}` };
}
