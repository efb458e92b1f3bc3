/**
 * Names of images, as Docker and the OCI distribution specification write them.
 *
 * @module
 */
import { hostSpelling } from '@a3s-box/policies/registry-host';
import { A3sError } from '../errors.ts';
import { type Digest, isDigest } from './digest.ts';

/** A normalised name: `redis` has become `docker.io` and `library/redis`. */
export interface Reference {
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

export const DEFAULT_DOMAIN = 'docker.io';
export const DEFAULT_TAG = 'latest';
const OFFICIAL = 'library/';

/** Longer than any reference whose parts keep their own bounds. */
const MAX_REFERENCE = 1024;
const MAX_PATH = 255;
const MAX_DOMAIN = 261; // 255 of a host name, and a port

const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const DOMAIN =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const BARE_ID = /^[0-9a-f]{64}$/;

/**
 * Reads a familiar (`redis:7`) or full (`docker.io/library/redis:7`) name, with or without tag and
 * digest.
 *
 * @throws A3sError `invalid-reference`
 */
export function parseReference(text: string): Reference {
  const parsed = read(text);
  if (typeof parsed !== 'string') return parsed;
  throw new A3sError(
    'invalid-reference',
    `Cannot use ${JSON.stringify(text.slice(0, 200))} as the name of an image: ${parsed}`,
    { remedy: 'Write it as [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], in lower case.' },
  );
}

/** Whether a text is the name of an image. */
export function isReference(text: string): boolean {
  return typeof read(text) !== 'string';
}

/** The same name with `latest` where it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: DEFAULT_TAG };
}

/** `docker.io/library/redis:7`: one spelling for each name. */
export function canonicalName(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`;
}

/** `docker.io/library/redis`: one spelling for each repository. */
export function canonicalRepository({ domain, path }: Reference): string {
  return `${domain}/${path}`;
}

/** The shortest spelling that means the same name: `redis:7`. */
export function familiarName(reference: Reference): string {
  return familiarRepository(reference) + suffix(reference);
}

/** The shortest spelling of the name without tag and digest: `redis`. */
export function familiarRepository(reference: Reference): string {
  const full = `${reference.domain}/${reference.path}`;
  if (reference.domain !== DEFAULT_DOMAIN) return full;
  const short = reference.path.startsWith(OFFICIAL)
    ? reference.path.slice(OFFICIAL.length)
    : reference.path;
  for (const candidate of [short, reference.path]) {
    // `docker.io/localhost/x` is not `localhost/x`: its first part would be read as a host.
    const again = read(candidate);
    if (typeof again === 'string') continue;
    if (again.domain === reference.domain && again.path === reference.path) return candidate;
  }
  return full;
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
}

/** The reference, or the reason why there is none. */
function read(text: string): Reference | string {
  if (text === '') return 'it is empty';
  if (text.length > MAX_REFERENCE) return `it is longer than ${MAX_REFERENCE} characters`;
  if (BARE_ID.test(text)) return '64 hexadecimal digits are an image id, not a name';

  const at = text.indexOf('@');
  const named = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    return 'its digest must be sha256: and 64 lower-case hexadecimal digits';
  }
  // Only a colon after the last slash starts a tag: before it, one starts a port.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !TAG.test(tag)) {
    return 'a tag has up to 128 letters, digits, "_", "." and "-", and starts with none of the last two';
  }
  const split = splitDomain(name);
  const bad = checkName(split.domain, split.path) ?? checkSpelling(split.domain);
  return bad ?? { ...split, tag, digest };
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  // Docker's rule: what looks like a host (dot, port, localhost, upper case) is one.
  const isHost =
    slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = isHost && first !== 'index.docker.io' ? first : DEFAULT_DOMAIN;
  const path = isHost ? name.slice(slash + 1) : name;
  const official = domain === DEFAULT_DOMAIN && !path.includes('/');
  return { domain, path: official ? OFFICIAL + path : path };
}

function checkName(domain: string, path: string): string | undefined {
  if (domain.length > MAX_DOMAIN || !DOMAIN.test(domain)) return 'its host is malformed';
  if (path.length > MAX_PATH) return `its path is longer than ${MAX_PATH} characters`;
  if (path !== path.toLowerCase()) return 'the name must be in lower case';
  if (!path.split('/').every((component) => PATH_COMPONENT.test(component))) {
    return 'each part of the name is lower-case letters and digits, separated by ".", "_", "__" or "-"';
  }
  return undefined;
}

/** A second spelling of a host would evade the rule that an image policy has for it. */
function checkSpelling(domain: string): string | undefined {
  const { host, fault } = hostSpelling(domain);
  if (fault !== undefined) return `its host ${fault}`;
  return host === domain.toLowerCase() && (host !== DEFAULT_DOMAIN || host === domain)
    ? undefined
    : `its host is written ${host}`;
}
