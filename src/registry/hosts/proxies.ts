/**
 * Proxies for HTTP, chosen as Go programs choose them, so that one configuration serves `docker`
 * and us alike.
 *
 * @module
 */
import { BlockList, isIP } from 'node:net';
import { A3sError } from '../../errors.ts';
import { bareHost, isLoopback } from './addresses.ts';

export interface Proxies {
  readonly http: URL | undefined;
  readonly https: URL | undefined;
  /** Hosts that are reached without one. */
  readonly except: readonly Exception[];
}

interface Exception {
  /** Undefined means every port. */
  readonly port: string | undefined;
  matches(host: string): boolean;
}

export const NO_PROXIES: Proxies = { http: undefined, https: undefined, except: [] };

/**
 * `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, or the same in lower case.
 *
 * @throws A3sError `invalid-argument` for a proxy that cannot be used
 */
export function readProxies(env: Readonly<Record<string, string | undefined>>): Proxies {
  const value = (name: string): string | undefined => env[name] || env[name.toLowerCase()];
  const proxy = (name: string): URL | undefined => {
    const text = value(name)?.trim();
    return text === undefined || text === '' ? undefined : parseProxy(name, text);
  };
  return {
    http: proxy('HTTP_PROXY'),
    https: proxy('HTTPS_PROXY'),
    except: (value('NO_PROXY') ?? '').split(',').flatMap(parseException),
  };
}

/** The proxy for a URL; undefined where it is reached without one. This machine always is. */
export function proxyFor(proxies: Proxies, url: URL): URL | undefined {
  const proxy = url.protocol === 'https:' ? proxies.https : proxies.http;
  if (proxy === undefined || isLoopback(url)) return undefined;
  const host = bareHost(url.hostname);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const excepted = proxies.except.some(
    (exception) =>
      (exception.port === undefined || exception.port === port) && exception.matches(host),
  );
  return excepted ? undefined : proxy;
}

function parseProxy(name: string, text: string): URL {
  const spelled = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(spelled) ? new URL(spelled) : undefined;
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.hostname !== '') {
    return url;
  }
  // Its text may hold a password.
  throw new A3sError('invalid-argument', `Cannot use ${name}: it is not http://HOST:PORT`, {
    remedy: 'Proxies are reached by http or https; write it as http://[USER:PASSWORD@]HOST:PORT.',
  });
}

/**
 * `*`, an address, a network, `example.com` with what is below it, `.example.com` for what is below
 * alone.
 */
function parseException(text: string): Exception[] {
  const entry = text.trim().toLowerCase();
  if (entry === '') return [];
  if (entry === '*') return [{ port: undefined, matches: () => true }];
  const network = parseNetwork(entry);
  if (network !== undefined) return [{ port: undefined, matches: network }];
  const { host, port } = splitPort(entry);
  if (host === '') return [];
  if (isIP(host) !== 0) {
    const one = networkOf(host, isIP(host) === 6 ? 128 : 32);
    return one === undefined ? [] : [{ port, matches: one }];
  }
  const below = host.startsWith('*.') ? host.slice(1) : host.startsWith('.') ? host : `.${host}`;
  const itself = host === below.slice(1) ? host : undefined;
  return [{ port, matches: (name) => name === itself || name.endsWith(below) }];
}

function parseNetwork(text: string): ((host: string) => boolean) | undefined {
  const [address = '', length, more] = text.split('/');
  if (length === undefined || more !== undefined || !/^\d{1,3}$/.test(length)) return undefined;
  return networkOf(address, Number(length));
}

function networkOf(address: string, length: number): ((host: string) => boolean) | undefined {
  const family = isIP(address);
  if (family === 0 || length > (family === 6 ? 128 : 32)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4');
  return (host) => isIP(host) !== 0 && list.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4');
}

function splitPort(entry: string): { host: string; port: string | undefined } {
  const [, host = '', port] = /^(\[[0-9a-f:.]+\]|[^:]*)(?::(\d{1,5}))?$/.exec(entry) ?? [
    undefined,
    entry,
  ];
  return { host: bareHost(host), port };
}
