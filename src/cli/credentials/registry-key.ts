/**
 * The name under which the credentials of a registry are kept.
 *
 * @module
 */
import { DEFAULT_DOMAIN } from '../../oci/reference.ts';

/** Docker's name for its own registry, for historical reasons. */
export const DOCKER_HUB = 'https://index.docker.io/v1/';

const HUB_HOSTS = new Set([DEFAULT_DOMAIN, 'index.docker.io']);

/**
 * The key of a registry's host, or of a user's input for it: a host, or a URL whose scheme and path
 * are ignored.
 */
export function registryKey(server: string): string {
  const host = hostOf(server);
  return HUB_HOSTS.has(host) ? DOCKER_HUB : host;
}

/** `registry.example:5000` of `https://registry.example:5000/v1/`. */
export function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').replace(/\/.*$/s, '');
}

/**
 * The entry of `entries` for the key: under its exact name first, then under any spelling of the
 * same registry.
 */
export function entryFor<T>(entries: Readonly<Record<string, T>>, key: string): T | undefined {
  if (Object.hasOwn(entries, key)) return entries[key];
  return Object.entries(entries).find(([name]) => registryKey(name) === key)?.[1];
}
