/**
 * Requests to one registry: the part of HTTP that the client of a repository needs.
 *
 * @module
 */
import type { RegistryRequest, RegistryResponse } from '../http/message.ts';

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
