/**
 * One request to one host, and its answer: what the layers of the transport hand to each other.
 *
 * @module
 */
import type { RegistryRequest, RegistryResponse } from '../transport/transport.ts';
import type { TlsTrust } from '../hosts/tls-trust.ts';

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
}

export type HttpResponse = RegistryResponse;

export type Send = (request: HttpRequest) => Promise<HttpResponse>;
