import type { NetworksPruned } from '../../../docker-api/network.ts';
import type { Client } from '../../client/client.ts';
import { objectOf, stringsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, list } from '../../flags/flag.ts';
import { isConfirmed } from '../../terminal/confirm.ts';
import { encodeFilters, parseFilter } from '../../values/filter.ts';

export const pruneNetworks: Command = {
  usage: '[OPTIONS]',
  flags: [
    list('filter', 'Provide filter values (e.g. "until=<timestamp>")', { value: 'filter' }),
    bool('force', 'Do not prompt for confirmation', { short: 'f' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const filters = encodeFilters(flags.parsedList('filter', parseFilter));
    const warning = 'WARNING! This will remove all custom networks not used by at least one box.';
    if (!flags.bool('force') && !(await isConfirmed(context, warning))) return 0;
    context.stdout.write(await removeUnusedNetworks(await context.connect(), filters));
    return 0;
  },
};

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
