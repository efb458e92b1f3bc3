/**
 * Requests to one registry: the part of HTTP that the client of a repository needs.
 *
 * @module
 */

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

/**
 * A registry host with one user's rights: authenticates, follows redirects, enforces deadlines,
 * chooses mirrors.
 */
export interface Transport {
  /**
   * @throws A3sError `registry-unreachable`, `registry-unauthorized`, `registry-denied`,
   * `registry-rate-limited`, `registry-failed`
   */
  send(request: RegistryRequest): Promise<RegistryResponse>;
}
