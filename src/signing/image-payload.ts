/**
 * The payload that cosign signs for an image: the manifest's digest and the image's name (cosign,
 * `specs/SIGNATURE_SPEC.md`).
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { goJson } from './go-json.ts';

/** The image that is signed or attested. */
export interface Subject {
  /** As cosign spells it; see `cosignRepository`. */
  readonly name: string;
  readonly digest: Digest;
}

/** Readers take no longer ones. */
const MAX_PAYLOAD = 64 * 1024;

/** Of a canonical repository: cosign knows Docker Hub by an older name. */
export function cosignRepository(repository: string): string {
  return repository.replace(/^docker\.io\//, 'index.docker.io/');
}

/** @throws A3sError `too-large` for annotations beyond the readers' bound */
export function imagePayload(
  { name, digest }: Subject,
  annotations: ReadonlyMap<string, string>,
): Buffer {
  const critical = [
    `"identity":{"docker-reference":${goJson(name)}}`,
    `"image":{"docker-manifest-digest":${goJson(digest)}}`,
    '"type":"cosign container image signature"',
  ];
  const optional = annotations.size === 0 ? 'null' : goJson(Object.fromEntries(annotations));
  const payload = Buffer.from(`{"critical":{${critical.join(',')}},"optional":${optional}}`);
  if (payload.length <= MAX_PAYLOAD) return payload;
  throw new A3sError(
    'too-large',
    `Cannot sign ${payload.length} bytes of names and annotations: ${MAX_PAYLOAD} are the most`,
  );
}
