/**
 * A request to a registry and its answer, and the request to one host that it becomes.
 *
 * @module
 */
import type { TlsTrust } from '../hosts/tls-trust.ts';
import type { AddressRule } from './address-guard.ts';

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /**
   * Below `/v2/`, such as `library/redis/manifests/7`, or the URL that the registry gave in a
   * `Location`.
   */
  readonly target: string | URL;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes that can be sent again, or a function that opens them anew for each attempt. */
  readonly body?: Buffer | (() => AsyncIterable<Uint8Array>);
  /** Token scopes, such as `repository:library/redis:pull`. */
  readonly scopes: readonly string[];
  /** Answers that the caller understands; any other becomes a `registry-…` error. */
  readonly expected: readonly number[];
  /** Where the registry itself cannot be reached, the 404 of a mirror is the answer. */
  readonly mirrorMayDeny?: boolean;
  /**
   * Ends this exchange at once, with the body of its answer. Applies in addition to the
   * repository's signal.
   */
  readonly signal?: AbortSignal;
}

export interface RegistryResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
  /** Has to be read to its end, or returned. */
  readonly body: AsyncIterable<Uint8Array>;
  /** For a mirror: suspends it for a while, since its answer was wrong. */
  readonly distrust?: () => void;
}

export interface HttpRequest {
  readonly method: RegistryRequest['method'];
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: RegistryRequest['body'] | undefined;
  readonly signal: AbortSignal | undefined;
  /** The authorities that the host's certificate may be from, and our client certificate. */
  readonly trust: TlsTrust;
  /** Origin of the registry, or mirror, that is asked or that named the host. */
  readonly registry: string;
  /** For a URL of another host than the registry's. */
  readonly addresses?: AddressRule | undefined;
}

export type HttpResponse = RegistryResponse;

export type Send = (request: HttpRequest) => Promise<HttpResponse>;
