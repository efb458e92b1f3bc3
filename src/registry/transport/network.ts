/**
 * The state that all requests to registries share: connections, configuration, and the results of
 * earlier requests.
 *
 * @module
 */
import type { LookupFunction } from 'node:net';
import { type Host, type HostFiles, type Mirror, readHost } from '../hosts/host.ts';
import { NO_PROXIES, type Proxies } from '../hosts/proxies.ts';
import { AddressGuard } from '../http/address-guard.ts';
import { Dispatchers } from '../http/dispatchers.ts';
import { discard } from '../http/error-body.ts';
import type { HttpResponse, Send } from '../http/message.ts';
import { TRANSPORT_LIMITS, type TransportLimits } from '../http/transport-limits.ts';
import { Unreached } from '../http/unreached.ts';
import { wire } from '../http/wire.ts';
import { withRetries } from '../http/with-retries.ts';

export interface NetworkOptions extends HostFiles {
  readonly proxies?: Proxies;
  readonly limits?: Partial<TransportLimits>;
  /** Of the system, unless tests have another. */
  readonly lookup?: LookupFunction;
  /**
   * Whether others than the owner name registries: one on this host or its link is reached only
   * where `registries.yaml` has it.
   */
  readonly namedByOthers?: boolean;
}

export class Network {
  readonly limits: TransportLimits;
  /** One attempt at one request. */
  readonly wire: Send;
  readonly #files: HostFiles;
  readonly #dispatchers: Dispatchers;
  /** Origins that `registries.yaml` names, of registries and of mirrors. */
  readonly #configured = new Set<string>();
  /** The schemes of hosts that may have either, by domain. */
  readonly #bases = new Map<string, URL>();
  /**
   * The time until which mirrors that did not answer are not asked, in milliseconds since the
   * process began.
   */
  readonly #resting = new Map<string, number>();

  constructor(options: NetworkOptions) {
    this.limits = { ...TRANSPORT_LIMITS, ...options.limits };
    this.#files = options;
    const mayBeLocal = (registry: string): boolean => this.#configured.has(registry);
    const guard = new AddressGuard(
      options.lookup,
      options.namedByOthers === true ? mayBeLocal : undefined,
    );
    this.#dispatchers = new Dispatchers(options.proxies ?? NO_PROXIES, this.limits, guard);
    this.wire = wire(this.#dispatchers, this.limits);
  }

  async host(domain: string): Promise<Host> {
    const host = await readHost(domain, this.#files);
    for (const { origin } of host.bases) {
      if (host.isConfigured) this.#configured.add(origin);
      else this.#configured.delete(origin);
    }
    for (const { base } of host.mirrors) this.#configured.add(base.origin);
    return host;
  }

  /**
   * The origin at which the registry answers: https, or http where it is allowed and https does not
   * answer.
   *
   * @param reached whether it has answered before
   */
  async baseOf(host: Host, reached: boolean, signal: AbortSignal | undefined): Promise<URL> {
    const [https, http] = host.bases;
    if (https === undefined) throw new TypeError('a host has at least one base');
    if (http === undefined) return https;
    const known = this.#bases.get(host.domain);
    if (known !== undefined) return known;
    const either: Send = async (request) => {
      try {
        return await this.wire(request);
      } catch (error) {
        if (!(error instanceof Unreached) || !error.withoutTls) throw error;
        const url = new URL('/v2/', http);
        return await this.#plain({ ...request, url, registry: url.origin }, error);
      }
    };
    const response = await withRetries(either, this.limits, { idempotent: true, reached })({
      method: 'GET',
      url: new URL('/v2/', https),
      headers: {},
      body: undefined,
      ...{ signal, trust: host.trust, registry: https.origin },
    });
    await discard(response);
    const base = new URL(response.url.origin);
    this.#bases.set(host.domain, base);
    return base;
  }

  /** Called after a request that did not reach the registry: its scheme may have changed. */
  forgetBase(host: Host): void {
    this.#bases.delete(host.domain);
  }

  isResting({ base }: Mirror): boolean {
    return (this.#resting.get(base.origin) ?? 0) > performance.now();
  }

  rest({ base }: Mirror): void {
    this.#resting.set(base.origin, performance.now() + this.limits.mirrorRestMs);
  }

  close(): Promise<void> {
    return this.#dispatchers.close();
  }

  async #plain(request: Parameters<Send>[0], withTls: Unreached): Promise<HttpResponse> {
    let response: HttpResponse;
    try {
      response = await this.wire(request);
    } catch (error) {
      if (error instanceof Unreached) throw withTls;
      throw error;
    }
    if (response.status !== 400) return response;
    // The answers of TLS servers to plain http.
    await discard(response);
    throw withTls;
  }
}
