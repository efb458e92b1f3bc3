/**
 * The flags that say how names are resolved: `--dns`, `--dns-search` and `--add-host`.
 *
 * @module
 */
import { isIP } from 'node:net';

const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const DOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*\\.?$`);
const HOST_GATEWAY = 'host-gateway';

/** @throws RangeError in Docker's words */
export function parseDns(text: string): string {
  const address = text.trim();
  if (isIP(address) !== 0) return address;
  throw new RangeError(`IP address is not correctly formatted: ${text}`);
}

/** `.` alone asks for no domain. @throws RangeError in Docker's words */
export function parseDomain(text: string): string {
  const domain = text.trim();
  if (domain === '.' || (domain.length < 255 && DOMAIN.test(domain))) return domain;
  throw new RangeError(`${text} is not a valid domain`);
}

/**
 * `name:address` or `name=address`, with an IPv6 address in brackets or without.
 *
 * @returns `name:address`
 * @throws RangeError in Docker's words
 */
export function parseExtraHost(text: string): string {
  const at = text.includes('=') ? text.indexOf('=') : text.indexOf(':');
  if (at <= 0) throw new RangeError(`bad format for add-host: ${JSON.stringify(text)}`);
  const given = text.slice(at + 1);
  const address = /^\[(.+)\]$/.exec(given)?.[1] ?? given;
  if (address !== HOST_GATEWAY && isIP(address.trim()) === 0) {
    throw new RangeError(`invalid IP address in add-host: ${JSON.stringify(given)}`);
  }
  return `${text.slice(0, at)}:${address}`;
}
