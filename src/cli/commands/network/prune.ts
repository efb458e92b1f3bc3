import type { NetworksPruned } from '../../../docker-api/network.ts';
import type { Client } from '../../client/client.ts';
import { objectOf, stringsOf } from '../../client/json.ts';
import { encodeFilters } from '../../values/filter.ts';
import { pruneCommand, pruneFilter } from '../prune-command.ts';

export const pruneNetworks = pruneCommand({
  flags: [pruneFilter('until=<timestamp>')],
  warning: () => 'all custom networks not used by at least one box',
  remove: (client, filters) => removeUnusedNetworks(client, encodeFilters(filters)),
});

/** The removed networks as text, which is empty where there are none. */
export async function removeUnusedNetworks(
  client: Client,
  filters: string | undefined,
): Promise<string> {
  const call = { method: 'POST', path: '/networks/prune', query: { filters } } as const;
  const answer = objectOf<NetworksPruned>(await client.json(call));
  const gone = stringsOf(answer.NetworksDeleted);
  return gone.length > 0 ? `Deleted Networks:\n${gone.join('\n')}\n\n` : '';
}
