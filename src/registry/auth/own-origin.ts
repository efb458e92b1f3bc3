/**
 * Credentials and the TLS trust of a registry apply to its own origin alone: the same scheme, host
 * and port (RFC 6454). Another origin, named by a redirect or an absolute location, gets neither.
 *
 * @module
 */
export function isOwnOrigin(url: URL, registry: URL): boolean {
  return url.origin === registry.origin;
}
