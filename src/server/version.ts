/**
 * The version of this server, and the Docker Engine API that it serves.
 *
 * @module
 */
export const VERSION = '0.1.0';

/** Major version is 1 throughout. */
export const API_MINOR = 45;
export const MIN_API_MINOR = 24;
/**
 * Clients up to this version are accepted, although the server knows nothing that is newer than
 * `API_MINOR`.
 */
const MAX_ACCEPTED_MINOR = 47;

export const API_VERSION = `1.${API_MINOR}`;
export const MIN_API_VERSION = `1.${MIN_API_MINOR}`;

export interface VersionedPath {
  readonly path: string;
  readonly minor: number;
}

/**
 * Removes the version from the path: `/v1.45/info` becomes `/info` with 45. Undefined for a version
 * that is not served.
 */
export function splitVersion(pathname: string): VersionedPath | undefined {
  const match = /^\/v(\d[\d.]{0,200})(?=\/)/.exec(pathname);
  if (match === null) return { path: pathname, minor: API_MINOR };
  const minor = Number(/^1\.(\d{1,4})$/.exec(match[1] ?? '')?.[1] ?? Number.NaN);
  if (!(minor >= MIN_API_MINOR && minor <= MAX_ACCEPTED_MINOR)) return undefined;
  return { path: pathname.slice(match[0].length), minor };
}
