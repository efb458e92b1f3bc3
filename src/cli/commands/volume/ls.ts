import type { VolumeList } from '../../../docker-api/volume.ts';
import { objectOf, objectsOf, stringOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, byName, list, refused, string } from '../../flags/flag.ts';
import type { FlagValues } from '../../flags/flag-values.ts';
import { prepareFormat } from '../../output/listing.ts';
import { inNaturalOrder } from '../../output/natural-order.ts';
import { VOLUME_LISTING, volumeRow } from '../../output/rows/volume-row.ts';
import { encodeFilters, parseFilter } from '../../values/filter.ts';
import { FORMAT_HELP } from '../format-help.ts';

export const listVolumes: Command = {
  usage: '[OPTIONS]',
  flags: byName([
    list('filter', 'Provide filter values (e.g. "dangling=true")', { short: 'f', value: 'filter' }),
    string('format', FORMAT_HELP),
    bool('quiet', 'Only display volume names', { short: 'q' }),
    refused('cluster', 'there is no cluster mode', 'bool'),
  ]),
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const filters = encodeFilters(flags.parsedList('filter', parseFilter));
    // A mistake in the format is found before the server is asked.
    const format = prepareFormat(formatOf(flags), VOLUME_LISTING);
    const client = await context.connect();
    const call = { method: 'GET', path: '/volumes', query: { filters } } as const;
    const found = objectsOf(objectOf<VolumeList>(await client.json(call)).Volumes);
    const sorted = [...found].sort((a, b) => inNaturalOrder(stringOf(a.Name), stringOf(b.Name)));
    context.stdout.write(format(sorted.map(volumeRow)));
    return 0;
  },
};

/** With `--quiet` the plain table is the names alone. */
function formatOf(flags: FlagValues): string | undefined {
  const format = flags.string('format') ?? '';
  return flags.bool('quiet') && (format === '' || format === 'table') ? '{{.Name}}' : format;
}
