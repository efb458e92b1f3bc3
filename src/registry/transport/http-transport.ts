/**
 * The transport to the registry of a domain, over HTTP.
 *
 * @module
 */
import { Readable } from 'node:stream';
import { unlessAborted } from '../../async/unless-aborted.ts';
import { A3sError } from '../../errors.ts';
import { Authenticator } from '../auth/authenticator.ts';
import { isOwnOrigin } from '../auth/own-origin.ts';
import { shown } from '../hosts/addresses.ts';
import type { Host, Mirror } from '../hosts/host.ts';
import type { TlsTrust } from '../hosts/tls-trust.ts';
import { discard } from '../http/error-body.ts';
import type {
  HttpRequest,
  HttpResponse,
  RegistryRequest,
  RegistryResponse,
} from '../http/message.ts';
import { refusal } from '../http/refusal.ts';
import type { TransportLimits } from '../http/transport-limits.ts';
import { Unreached } from '../http/unreached.ts';
import { watchBody } from '../http/watch-body.ts';
import { withRetries } from '../http/with-retries.ts';
import type { Credentials } from '../registry.ts';
import type { Network } from './network.ts';
import { followRedirects } from './redirects.ts';
import type { Transport } from './transport.ts';

export interface TransportOptions {
  readonly network: Network;
  /** Of the images' names: `docker.io`, `registry.example:5000`. */
  readonly domain: string;
  readonly credentials: Credentials | undefined;
  /** Asks token servers for refresh tokens, too. */
  readonly offline?: boolean;
}

/** A host for requests, and the user's authentication to it. */
interface Endpoint {
  /** For messages, and for `a3s-box login`. */
  readonly domain: string;
  readonly base: URL;
  readonly prefix: string;
  readonly trust: TlsTrust;
  readonly authenticator: Authenticator;
  readonly limits: TransportLimits;
  readonly known: boolean;
}

export class HttpTransport implements Transport {
  readonly #options: TransportOptions;
  readonly #network: Network;
  readonly #mirrors = new Map<Mirror, Endpoint>();
  /** Whether any host has answered. */
  #reached = false;
  /** Whether the registry itself could not be reached when a mirror denied something. */
  #unreachable = false;
  #host: Promise<Host> | undefined;
  #authenticator: Authenticator | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#network = options.network;
  }

  /** Of the latest answer of a token server that had one. */
  get refreshToken(): string | undefined {
    return this.#authenticator?.refreshToken;
  }

  async send(request: RegistryRequest): Promise<RegistryResponse> {
    this.#host ??= this.#network.host(this.#options.domain);
    const host = await this.#host;
    const mirrored = isPull(request) ? await this.#askMirrors(host, request) : undefined;
    if (mirrored !== undefined && mirrored.status !== 404) return mirrored;
    if (mirrored !== undefined && this.#unreachable) return mirrored;
    try {
      const base = await this.#network.baseOf(host, this.#reached, request.signal);
      return await this.#sendTo(host, this.#origin(host, base), request);
    } catch (error) {
      if (!(error instanceof Unreached)) throw error;
      this.#network.forgetBase(host);
      request.signal?.throwIfAborted();
      if (mirrored === undefined) throw error;
      this.#unreachable = true;
      return mirrored;
    }
  }

  /**
   * The first answer of a mirror, or its 404 where that may count; undefined where no mirror has
   * the content.
   */
  async #askMirrors(host: Host, request: RegistryRequest): Promise<RegistryResponse | undefined> {
    const mayDeny = request.mirrorMayDeny === true && request.expected.includes(404);
    let denial: RegistryResponse | undefined;
    for (const mirror of host.mirrors) {
      if (this.#network.isResting(mirror)) continue;
      const endpoint = this.#mirrors.get(mirror) ?? this.#mirrorEndpoint(host, mirror);
      this.#mirrors.set(mirror, endpoint);
      const scopes = request.scopes.map((scope) => prefixScope(scope, mirror.prefix));
      // The registry may have what a mirror lacks.
      const expected = request.expected.filter((status) => status !== 404 || mayDeny);
      try {
        const response = await this.#sendTo(host, endpoint, { ...request, scopes, expected });
        if (response.status === 404) {
          await discard(response);
          denial = { status: 404, headers: {}, url: response.url, body: Readable.from([]) };
          continue;
        }
        const distrust = (): void => this.#network.rest(mirror);
        // When the body fails, the rest of it comes from another host.
        const body = watchBody(response.body, {
          onFailure: (error) => {
            distrust();
            return error;
          },
        });
        return { ...response, body, distrust };
      } catch (error) {
        if (!(error instanceof A3sError)) throw error;
        request.signal?.throwIfAborted();
        if (error instanceof Unreached) this.#network.rest(mirror);
      }
    }
    return denial;
  }

  async #sendTo(host: Host, endpoint: Endpoint, request: RegistryRequest): Promise<HttpResponse> {
    const { base, authenticator, limits } = endpoint;
    const url = urlOf(request, endpoint);
    const isOwn = isOwnOrigin(url, base);
    const { scopes, expected, signal } = request;
    const trust = await trustFor(url, host, endpoint);
    const reached = this.#reached;
    const send = followRedirects(
      withRetries(this.#network.wire, limits, { idempotent: isIdempotent(request), reached }),
      expected,
      (target) => trustFor(target, host, endpoint),
    );
    const withAuthorization = (authorization: string | undefined): HttpRequest => ({
      method: request.method,
      url,
      headers: { ...request.headers, ...(authorization === undefined ? {} : { authorization }) },
      body: request.body,
      signal,
      trust,
      registry: base.origin,
    });
    let sent = isOwn ? await unlessAborted(authenticator.authorization(scopes), signal) : undefined;
    let response = await send(withAuthorization(sent));
    this.#reached = true;
    if (response.status === 401 && isOwn && isOwnOrigin(response.url, base)) {
      const second = await this.#secondTry(endpoint, request, response, sent);
      if (second !== undefined) {
        await discard(response);
        sent = second;
        response = await send(withAuthorization(sent));
      }
    }
    if (expected.includes(response.status)) return response;
    throw await refusal(response, {
      domain: endpoint.domain,
      known: endpoint.known,
      secrets: secretsIn(this.#options.credentials, sent),
    });
  }

  async #secondTry(
    { authenticator, base }: Endpoint,
    { scopes, signal }: RegistryRequest,
    response: HttpResponse,
    first: string | undefined,
  ): Promise<string | undefined> {
    try {
      const answer = authenticator.answer(response, scopes, first, base);
      const second = await unlessAborted(answer, signal);
      return second === first ? undefined : second;
    } catch (error) {
      await discard(response);
      throw error;
    }
  }

  #origin(host: Host, base: URL): Endpoint {
    const { credentials, offline = false } = this.#options;
    const { trust } = host;
    const { limits } = this.#network;
    this.#authenticator ??= new Authenticator({
      ...{ domain: host.domain, credentials, offline },
      ask: async (request) =>
        withRetries(this.#network.wire, limits, { idempotent: true, reached: false })({
          body: undefined,
          ...request,
          signal: undefined,
          trust: isOwnOrigin(request.url, base) ? host.trust : await host.foreign(request.url),
          registry: base.origin,
        }),
    });
    const known = credentials !== undefined && Object.values(credentials).some(Boolean);
    const authenticator = this.#authenticator;
    return { domain: host.domain, base, prefix: '', trust, limits, known, authenticator };
  }

  /** Mirrors are asked anonymously: credentials belong to the registry. */
  #mirrorEndpoint(host: Host, { base, prefix, trust }: Mirror): Endpoint {
    const limits = { ...this.#network.limits, attempts: 1 };
    const authenticator = new Authenticator({
      domain: base.host,
      credentials: undefined,
      ask: async (request) =>
        this.#network.wire({
          body: undefined,
          ...request,
          signal: undefined,
          trust: isOwnOrigin(request.url, base) ? trust : await host.foreign(request.url),
          registry: base.origin,
        }),
    });
    return { domain: base.host, base, prefix, trust, authenticator, limits, known: false };
  }
}

/**
 * Whether mirrors may answer: only reads without the right to push. A push has to see the registry
 * itself.
 */
function isPull({ method, target, scopes }: RegistryRequest): boolean {
  const reads = method === 'GET' || method === 'HEAD';
  if (!reads || typeof target !== 'string' || scopes.length === 0) return false;
  return scopes.every((scope) => scope.startsWith('repository:') && scope.endsWith(':pull'));
}

function prefixScope(scope: string, prefix: string): string {
  return scope.replace(/^repository:/, `repository:${prefix}`);
}

/** Requests of an upload change its state, so each of them is sent once. */
function isIdempotent({ method, target }: RegistryRequest): boolean {
  if (method === 'GET' || method === 'HEAD' || method === 'DELETE') return true;
  return method === 'PUT' && typeof target === 'string';
}

function urlOf({ target, query }: RegistryRequest, { base, prefix }: Endpoint): URL {
  const url =
    typeof target === 'string' ? new URL(`/v2/${prefix}${target}`, base) : new URL(target);
  if (typeof target === 'string' && url.pathname !== `/v2/${prefix}${target}`) {
    throw new TypeError(`not a path below /v2/: ${target.slice(0, 200)}`);
  }
  if (base.protocol === 'https:' && url.protocol !== 'https:') {
    throw new A3sError(
      'registry-failed',
      `Cannot use the answer of ${base.host}: it leads from https to ${shown(url)}`,
      { remedy: "Ask the registry's operator." },
    );
  }
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.append(name, value);
  return url;
}

async function trustFor(url: URL, host: Host, { base, trust }: Endpoint): Promise<TlsTrust> {
  return isOwnOrigin(url, base) ? trust : await host.foreign(url);
}

/** The secrets that a registry could repeat and a message must not show. */
function secretsIn(credentials: Credentials | undefined, sent: string | undefined): string[] {
  const { password, identityToken, registryToken } = credentials ?? {};
  return [password, identityToken, registryToken, sent?.replace(/^\w+ /, '')].filter(
    (secret) => secret !== undefined,
  );
}
