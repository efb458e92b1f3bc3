/**
 * Where the registry of a name is reached.
 *
 * @module
 */
import { BlockList, isIP } from 'node:net';
import { DEFAULT_DOMAIN, parseReference } from '../../oci/reference.ts';

/** The registry that serves the images of `docker.io`. */
const DOCKER_HUB = 'registry-1.docker.io';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether images can have it as their domain. */
export function isDomain(text: string): boolean {
  try {
    return parseReference(`${text}/x/y`).domain === text;
  } catch {
    return false;
  }
}

/** Host and port of the registry that serves a domain's images. */
export function registryHost(domain: string): string {
  return domain === DEFAULT_DOMAIN ? DOCKER_HUB : domain;
}

/** Whether a URL leads back to this machine, by an address or as `localhost`. */
export function isLoopback({ hostname }: Pick<URL, 'hostname'>): boolean {
  const host = bareHost(hostname);
  if (host === 'localhost') return true;
  const family = isIP(host);
  return family !== 0 && LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/** A URL's host name, an IPv6 address without its brackets. */
export function bareHost(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

/** A URL for messages: no query, which may hold a signature, and no user. */
export function shown(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname.slice(0, 200)}`;
}
