/**
 * Plain requests for files that are not in a registry, with the bounds that requests to registries
 * have: the host's proxy and authorities, timeouts, and no address of this host or of its link.
 *
 * @module
 */
import { readSystemRoots } from './hosts/system-roots.ts';
import { tlsTrust } from './hosts/tls-trust.ts';
import type { AddressRule } from './http/address-guard.ts';
import type { HttpResponse } from './http/message.ts';
import { Network, type NetworkOptions } from './transport/network.ts';

export interface Downloads {
  /**
   * One request. A redirect is an answer. Throws Unreached, and A3sError `registry-failed` for an
   * address of this host, or one that is refused.
   */
  send(request: DownloadRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

export interface DownloadRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
  readonly signal: AbortSignal;
  /** Refuses addresses beside those of this host and its link. */
  readonly addresses?: AddressRule;
}

/** No registry: whatever is asked is foreign, and thus elsewhere. */
const NOBODY = 'https://downloads.invalid';

export function openDownloads(options: NetworkOptions): Downloads {
  const network = new Network(options);
  return {
    send: async (request) => {
      const roots = await readSystemRoots(options.rootsFiles ?? []);
      const trust = tlsTrust({ authorities: [], clients: [] }, roots, true);
      return await network.wire({ ...request, body: request.body, trust, registry: NOBODY });
    },
    close: () => network.close(),
  };
}
