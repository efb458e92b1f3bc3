/**
 * What a request of a builder asks for.
 *
 * @module
 */
import { type Digest, isDigest } from '../../oci/digest.ts';
import { parseReference, type Reference } from '../../oci/reference.ts';

export type Target =
  /** The question whether there is a registry. */
  | { readonly kind: 'registry' }
  | { readonly kind: 'manifest'; readonly reference: Reference }
  | { readonly kind: 'blob'; readonly reference: Reference & { readonly digest: Digest } }
  /** The beginning of an upload of a blob to a repository, or all of it. */
  | { readonly kind: 'uploads' | 'upload'; readonly reference: Reference }
  /** Something else of a registry, which builds do not need. */
  | { readonly kind: 'other' }
  /** A file that is in no registry. */
  | { readonly kind: 'download' };

/** The hosts of the registry that names of `docker.io` mean. */
const DOCKER_HUB = ['registry-1.docker.io', 'index.docker.io'];
/** Where a builder sends the blobs of an upload. */
export const UPLOAD = 'a3s';
const UPLOADS = /^\/v2\/(.+)\/blobs\/uploads\/(?:a3s)?$/;
const PARTS = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/;

/** @throws A3sError `invalid-reference` for a registry's URL that names no image */
export function targetOf(url: URL): Target {
  const path = url.pathname;
  if (path === '/v2' || path === '/v2/') return { kind: 'registry' };
  const decoded = decodedPath(path);
  if (!path.startsWith('/v2/')) return { kind: isOfRegistry(decoded) ? 'other' : 'download' };
  const [, repositoryPath = ''] = UPLOADS.exec(decoded ?? '') ?? [];
  if (repositoryPath !== '' && !/[:@]/.test(repositoryPath)) {
    const kind = path.endsWith(UPLOAD) ? 'upload' : 'uploads';
    return { kind, reference: parseReference(`${domainOf(url)}/${repositoryPath}`) };
  }
  const [, name = '', kind, last = ''] = PARTS.exec(decoded ?? '') ?? [];
  // A reference with a tag and a digest would be another image's.
  if (kind === undefined || /[:@]/.test(name)) return { kind: 'other' };
  const repository = `${domainOf(url)}/${name}`;
  if (kind === 'manifests') {
    const separator = isDigest(last) ? '@' : ':';
    return { kind: 'manifest', reference: parseReference(`${repository}${separator}${last}`) };
  }
  const reference = parseReference(`${repository}@${last}`);
  const { digest } = reference;
  return digest === undefined
    ? { kind: 'other' }
    : { kind: 'blob', reference: { ...reference, digest } };
}

/** Undefined for what is no text. */
function decodedPath(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/**
 * Whether a registry could read a path that does not begin with `/v2/` as one that does: encoded,
 * even twice, with more slashes, with dots that lead up from elsewhere, in capitals, or with
 * parameters, white space or control characters behind it.
 */
function isOfRegistry(decoded: string | undefined): boolean {
  const twice = decodedPath(decoded ?? '%');
  if (twice === undefined) return true;
  const steps: string[] = [];
  for (const part of twice.split(/[/\\]/)) {
    const step = part.replace(/[;?#\p{Cc}\s].*$/su, '');
    if (step === '..') steps.pop();
    else if (step !== '' && step !== '.') steps.push(step);
  }
  return steps[0]?.toLowerCase() === 'v2';
}

/** The host as the names of images have it: without the port that https has anyway. */
function domainOf({ host }: URL): string {
  return DOCKER_HUB.includes(host) ? 'docker.io' : host;
}
