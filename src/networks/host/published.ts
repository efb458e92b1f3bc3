/**
 * How published ports come into the namespace of a box, for both families of addresses.
 *
 * @module
 */
import { isIPv6 } from 'node:net';
import type { PublishedPort } from './endpoint.ts';

/** The device through which they come. */
export const PUBLISH_DEVICE = 'pub0';

/**
 * Marks their connections, whose answers leave the way the questions came: by a table of routes.
 */
export const PUBLISHED = { mark: 1, table: 100 } as const;

/** Whether any of the ports is published at an IPv6 address of the host. */
export function hasPorts6(ports: readonly Pick<PublishedPort, 'hostIp'>[]): boolean {
  return ports.some(({ hostIp }) => isIPv6(hostIp));
}
