/**
 * Hosts of registries, in one spelling each.
 *
 * A rule is about the name of a host. A second spelling that leads to the same server would evade
 * the rule, so only the spelling that a URL returns is accepted. Upper case is left: rules are
 * matched in lower case.
 *
 * @module
 */

/** Docker Hub is `docker.io` in every name; these are the hosts where it answers. */
const HUB = 'docker.io';
const HUB_HOSTS: readonly string[] = [
  HUB,
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
];

/** The ports of https and http: a registry without a port is asked there. */
const DEFAULT_PORTS: readonly string[] = ['443', '80'];

/** The one spelling of a host, or the reason why there is none. */
export type HostSpelling =
  | { readonly host: string; readonly fault?: never }
  | { readonly host?: never; readonly fault: string };

/** @param text `HOST` or `HOST:PORT`, without characters that a URL would not have there */
export function hostSpelling(text: string): HostSpelling {
  const lower = text.toLowerCase();
  const url = URL.canParse(`https://${lower}`) ? new URL(`https://${lower}`) : undefined;
  if (url === undefined || url.hostname === '') {
    return { fault: 'is neither the name nor the address of a host' };
  }
  const host = withoutMapping(url.hostname);
  if (host === '0.0.0.0' || host === '[::]') return { fault: 'has an address of no host' };
  const port = /:([0-9]+)$/.exec(lower)?.[1]?.replace(/^0+/, '');
  if (port === '') return { fault: 'has port 0, where nothing can listen' };
  if (port === undefined && !standsAlone(host)) {
    return text === lower ? { host } : { fault: `without a dot needs its port, as in ${host}:443` };
  }
  const isDefault = port === undefined || DEFAULT_PORTS.includes(port);
  if (isDefault && HUB_HOSTS.includes(host)) return { host: HUB };
  return { host: isDefault && standsAlone(host) ? host : `${host}:${port}` };
}

/** Whether the first part of a name is read as this host when there is no port. */
function standsAlone(host: string): boolean {
  return /[.:]/.test(host) || host === 'localhost';
}

/** The IPv4 address of one that is mapped into IPv6. */
function withoutMapping(host: string): string {
  const mapped = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(host);
  if (mapped === null) return host;
  const words = mapped.slice(1).map((word) => Number.parseInt(word, 16));
  return words.flatMap((word) => [word >> 8, word & 0xff]).join('.');
}
