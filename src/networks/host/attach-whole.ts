/**
 * Puts a box into a network, for callers that can do nothing before it is there.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import type { Endpoint } from './endpoint.ts';
import type { HostNetworks } from './host-networks.ts';

/**
 * Returns when the box is in the network as a whole.
 *
 * @returns the descriptor of its tap device, which the caller closes
 * @throws A3sError as {@link HostNetworks.attach}
 */
export async function attachWhole(
  networks: Pick<HostNetworks, 'attach'>,
  endpoint: Endpoint,
): Promise<number> {
  const { tap, whole } = await networks.attach(endpoint);
  try {
    await whole;
    return tap;
  } catch (error) {
    closeSync(tap);
    throw error;
  }
}
