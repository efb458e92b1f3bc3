/**
 * The secret broker of a confidential box:
 * `https://HOST[:PORT][/tenants/NAME],key=SHA256[,tokens]`.
 *
 * @module
 */
// The command line reads its flags without a schema library, so the schema's rules stand here
// again.
import type { BrokerEndpoint } from '@a3s-box/policies';
import { parseSeconds } from './deadline.ts';

const DEFAULT_TENANT = 'default';
const HTTPS_PORT = 443;
const HOST = /^([a-z0-9][a-z0-9.-]{0,252}|(?=.*:)[0-9a-f:]{1,45})$/;
const TENANT_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const KEY = /^[0-9a-f]{64}$/;
const RESOURCE = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}(\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){2}$/;
/** In seconds. */
const REFRESH = { least: 10, most: 604_800, usual: 300 };
const TENANT = /^\/tenants\/([^/]+)$/;
/** What a secret begins with that is fetched. */
const FROM_BROKER = 'broker/';

/** @throws RangeError for anything else, and without a key: anybody could be the broker then */
export function parseBroker(text: string): BrokerEndpoint {
  const [address = '', ...options] = text.split(',');
  const keys = options.flatMap((option) => (option.startsWith('key=') ? [option.slice(4)] : []));
  const tokens = options.filter((option) => option === 'tokens').length;
  if (keys.length + tokens < options.length || tokens > 1) {
    throw new RangeError('it takes URL,key=SHA256[,tokens]');
  }
  const [key] = keys;
  if (key === undefined || keys.length > 1) {
    throw new RangeError(
      'it needs key=SHA256, once: the digest of the public key of the broker’s certificate, by which the box knows the broker',
    );
  }
  if (!KEY.test(key)) {
    throw new RangeError('key= takes a SHA-256 digest: 64 hexadecimal digits, in lower case');
  }
  const url = urlOf(address);
  // Without the brackets of an IPv6 address.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? HTTPS_PORT : Number(url.port);
  const tenant = tenantOf(url);
  if (!HOST.test(host)) throw new RangeError('it has no usable host');
  if (port === 0) throw new RangeError('it has no usable port');
  if (!TENANT_NAME.test(tenant)) throw new RangeError('it has no usable tenant');
  return { host, port, tenant, key, ...(tokens === 0 ? {} : { tokens: true }) };
}

function urlOf(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== 'https:') throw new RangeError('it takes a URL that begins with https://');
  const more = [url.username, url.password, url.search, url.hash].some((part) => part !== '');
  if (more) throw new RangeError('its URL has a host, a port and a tenant alone');
  return url;
}

function tenantOf({ pathname }: URL): string {
  if (pathname === '/') return DEFAULT_TENANT;
  const name = TENANT.exec(pathname)?.[1];
  if (name !== undefined) return name;
  throw new RangeError('the path of its URL is /tenants/NAME, or none');
}

/** A secret that is fetched from the broker. */
export interface FetchedFrom {
  /** Its path there. */
  readonly resource: string;
  /** After how many seconds it is fetched again; undefined: never. */
  readonly refresh: number | undefined;
}

/**
 * What `from=broker/PATH[,refresh[=DURATION]]` says of a secret; undefined for another one.
 *
 * @throws RangeError for what is no path
 */
export function parseResource(from: string): FetchedFrom | undefined {
  if (!from.startsWith(FROM_BROKER)) return undefined;
  const [resource = '', ...options] = from.slice(FROM_BROKER.length).split(',');
  if (RESOURCE.test(resource)) return { resource, refresh: parseRefresh(options) };
  throw new RangeError(
    'from=broker/ takes repository/type/tag, of letters, digits, dots, dashes and underscores',
  );
}

function parseRefresh(options: readonly string[]): number | undefined {
  const [option, ...more] = options;
  if (option === undefined) return undefined;
  if (more.length > 0 || !/^refresh(=|$)/.test(option)) {
    throw new RangeError('from=broker/PATH takes refresh or refresh=DURATION, once');
  }
  const seconds = option === 'refresh' ? REFRESH.usual : parseSeconds(option.slice(8));
  if (seconds !== undefined && seconds >= REFRESH.least && seconds <= REFRESH.most) return seconds;
  throw new RangeError('refresh= takes a time from 10s to 7 days, such as 5m or 12h');
}
