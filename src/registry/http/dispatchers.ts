/**
 * Keeps connections open between requests: one pool for each origin, trust and proxy.
 *
 * @module
 */
import { isIP, type LookupFunction } from 'node:net';
import type { Dispatcher } from 'undici';
import type { AddressKind } from '../hosts/address-kind.ts';
import { bareHost } from '../hosts/addresses.ts';
import { type Proxies, proxyFor } from '../hosts/proxies.ts';
import type { TlsTrust } from '../hosts/tls-trust.ts';
import { type AddressGuard, type AddressRule, RefusedAddress } from './address-guard.ts';
import type { TransportLimits } from './transport-limits.ts';

/** Bound on the pools: redirects lead to ever new hosts. */
const MAX_POOLS = 64;

export class Dispatchers {
  readonly #proxies: Proxies;
  readonly #limits: TransportLimits;
  readonly #guard: AddressGuard;
  /** Least recently used first. */
  readonly #pools = new Map<string, Dispatcher>();

  constructor(proxies: Proxies, limits: TransportLimits, guard: AddressGuard) {
    this.#proxies = proxies;
    this.#limits = limits;
    this.#guard = guard;
  }

  /**
   * @param registry origin of the registry that is asked, or that named the host of the URL
   * @throws RefusedAddress where a proxy finds the address, and the rule has to see it
   */
  async for(url: URL, trust: TlsTrust, registry: string, rule?: AddressRule): Promise<Dispatcher> {
    // A server that pulls no image does not load this library.
    const http = await import('undici');
    const place = url.origin === registry ? 'own' : this.#guard.placeOf(registry);
    // A request never shares a connection to an address that it would not be allowed to reach.
    const key = `${url.origin} ${trust.identity} ${place} ${rule?.id ?? ''}`;
    const pool = this.#pools.get(key) ?? this.#make(http, url, trust, place, rule);
    this.#pools.delete(key);
    this.#pools.set(key, pool);
    for (const [oldest, unused] of this.#pools) {
      if (this.#pools.size <= MAX_POOLS) break;
      this.#pools.delete(oldest);
      // Ends the pool once its requests have ended.
      unused.close().catch(() => undefined);
    }
    return pool;
  }

  /** Cuts the requests that are still running. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  #make(
    { Pool, ProxyAgent, buildConnector }: typeof import('undici'),
    url: URL,
    trust: TlsTrust,
    place: AddressKind | 'own',
    rule: AddressRule | undefined,
  ): Dispatcher {
    const { connectMs, headersMs, stallMs } = this.#limits;
    const { rejectUnauthorized } = trust;
    const connect = {
      rejectUnauthorized,
      timeout: connectMs,
      ...(url.protocol === 'https:' ? { secureContext: trust.secureContext() } : {}),
    };
    const timeouts = { headersTimeout: headersMs, bodyTimeout: stallMs };
    const proxy = proxyFor(this.#proxies, url);
    if (proxy === undefined) {
      const build = (lookup: LookupFunction) => buildConnector({ ...connect, lookup });
      const guarded =
        place === 'own'
          ? this.#guard.own(url.origin, build)
          : this.#guard.foreign(place, build, rule);
      return new Pool(url.origin, { ...timeouts, connect: guarded });
    }
    const host = bareHost(url.hostname);
    const reason = rule?.refusal(isIP(host) === 0 ? undefined : host);
    if (reason !== undefined) throw new RefusedAddress(reason);
    return new ProxyAgent({
      uri: proxy.href,
      // Plain http goes through a proxy as a request to it; few proxies allow a tunnel for it.
      proxyTunnel: false,
      proxyTls: { timeout: connectMs },
      requestTls: connect,
      ...timeouts,
      clientFactory: (origin, options) => new Pool(origin, { ...options, ...timeouts }),
    });
  }
}
