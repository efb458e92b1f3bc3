/**
 * What a user of networks is told of this host.
 *
 * @module
 */
import type { Runtime } from '../../../boxes/runtime.ts';

/** One line where no box can be started in a user-defined network, and none otherwise. */
export async function networkWarnings({ networks }: Pick<Runtime, 'networks'>): Promise<string[]> {
  const { available, reason } = await networks.availability();
  if (available) return [];
  return [
    `No box can be started in a user-defined network on this host: ${reason ?? 'it can make none'}`,
  ];
}
