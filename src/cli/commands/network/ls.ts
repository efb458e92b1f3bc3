import type { Network } from '../../../docker-api/network.ts';
import { objectsOf, stringOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, list, string } from '../../flags/flag.ts';
import type { FlagValues } from '../../flags/flag-values.ts';
import { prepareFormat } from '../../output/listing.ts';
import { inNaturalOrder } from '../../output/natural-order.ts';
import { NETWORK_LISTING, networkRow } from '../../output/rows/network-row.ts';
import { encodeFilters, parseFilter } from '../../values/filter.ts';
import { FORMAT_HELP } from '../format-help.ts';

export const listNetworks: Command = {
  usage: '[OPTIONS]',
  flags: [
    list('filter', 'Provide filter values (e.g. "driver=bridge")', { short: 'f', value: 'filter' }),
    string('format', FORMAT_HELP),
    bool('no-trunc', 'Do not truncate the output'),
    bool('quiet', 'Only display network IDs', { short: 'q' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const filters = encodeFilters(flags.parsedList('filter', parseFilter));
    // A mistake in the format is found before the server is asked.
    const format = prepareFormat(formatOf(flags), NETWORK_LISTING);
    const client = await context.connect();
    const call = { method: 'GET', path: '/networks', query: { filters } } as const;
    const found = objectsOf<Network>(await client.json(call));
    const sorted = [...found].sort((a, b) => inNaturalOrder(stringOf(a.Name), stringOf(b.Name)));
    const full = flags.bool('no-trunc');
    context.stdout.write(format(sorted.map((network) => networkRow(network, full))));
    return 0;
  },
};

/** With `--quiet` the plain table is the ids alone. */
function formatOf(flags: FlagValues): string | undefined {
  const format = flags.string('format') ?? '';
  return flags.bool('quiet') && (format === '' || format === 'table') ? '{{.ID}}' : format;
}
