/**
 * The authorities whose certificates, logs and timestamps are trusted: sigstore's
 * `trusted_root.json`, in the form that verification uses.
 *
 * Every authority in it has its own time of validity, and signatures are checked against the
 * authority that was valid when they were made. So a root does not expire as a whole: signatures of
 * old authorities stay good. A root from a TUF mirror is another matter; its metadata expires.
 *
 * @module
 */
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { type TrustMaterial, toTrustMaterial } from '@sigstore/verify';
import { SHIPPED_ROOT } from './shipped-root.ts';

/** `application/vnd.dev.sigstore.trustedroot+json;version=0.1` and `…trustedroot.v0.2+json`. */
const MEDIA_TYPE =
  /^application\/vnd\.dev\.sigstore\.trustedroot(\+json;version=0\.[12]|\.v0\.[12]\+json)$/;

/** Of all authorities of one kind. */
const MAX_AUTHORITIES = 64;

/** As protobuf's JSON writes it (RFC 3339): `Date.parse` reads much more, and in local time. */
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/** The root that a policy calls `public`. */
export function publicRoot(): TrustMaterial {
  return materialOf(SHIPPED_ROOT);
}

/** @throws Error that says what is wrong with the text */
export function readTrustedRoot(text: string): TrustMaterial {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Error('it is not JSON', { cause: error });
  }
  return materialOf(document);
}

function materialOf(document: unknown): TrustMaterial {
  const mediaType = memberOf(document, 'mediaType');
  if (typeof mediaType !== 'string' || !MEDIA_TYPE.test(mediaType)) {
    throw new Error('it is no trusted root of sigstore: its mediaType is not that of one');
  }
  const material = convert(document);
  const { certificateAuthorities, timestampAuthorities, tlogs, ctlogs } = material;
  const all = [certificateAuthorities, timestampAuthorities, tlogs, ctlogs];
  if (all.every((some) => some.length === 0)) throw new Error('it has no authority at all');
  if (all.some((some) => some.length > MAX_AUTHORITIES)) {
    throw new Error(`it has more than ${MAX_AUTHORITIES} authorities of one kind`);
  }
  if ([...certificateAuthorities, ...timestampAuthorities].some(hasNoCertificate)) {
    throw new Error('it has an authority without a certificate');
  }
  checkValidity(document);
  return material;
}

/**
 * The library takes an authority without a start for one that has always been valid, and one with a
 * garbled end for one that always will be.
 */
function checkValidity(document: unknown): void {
  for (const kind of ['tlogs', 'ctlogs', 'certificateAuthorities', 'timestampAuthorities']) {
    const authorities: unknown = Reflect.get(Object(document), kind);
    if (!Array.isArray(authorities)) continue;
    for (const [index, authority] of authorities.entries()) {
      const holder = kind.endsWith('logs') ? memberOf(authority, 'publicKey') : authority;
      const range = memberOf(holder, 'validFor');
      const end = memberOf(range, 'end') ?? undefined;
      const part = isTime(memberOf(range, 'start')) ? 'end' : 'start';
      if (part === 'end' && (end === undefined || isTime(end))) continue;
      throw new Error(`it has an authority, ${kind}[${index}], without a valid validFor.${part}`);
    }
  }
}

function memberOf(value: unknown, name: string): unknown {
  return Reflect.get(Object(value), name);
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value));
}

function hasNoCertificate({ certChain }: { readonly certChain: readonly unknown[] }): boolean {
  return certChain.length === 0;
}

function convert(document: unknown): TrustMaterial {
  try {
    return toTrustMaterial(TrustedRoot.fromJSON(document));
  } catch (error) {
    throw new Error('it has an authority whose key or certificate cannot be read', {
      cause: error,
    });
  }
}
