import { objectsOf } from '../client/json.ts';
import type { Command } from '../command.ts';
import { bool, list, string } from '../flags/flag.ts';
import { imageListing, imageRows } from '../output/image-row.ts';
import { prepareFormat } from '../output/listing.ts';
import { encodeFilters, parseFilter } from '../values/filter.ts';
import { FORMAT_HELP } from './format-help.ts';

export const images: Command = {
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  description: 'List images',
  flags: [
    bool('all', 'Show all images', { short: 'a' }),
    bool('digests', 'Show digests'),
    list('filter', 'Filter output based on conditions provided', { short: 'f', value: 'filter' }),
    string('format', FORMAT_HELP),
    bool('no-trunc', "Don't truncate output"),
    bool('quiet', 'Only show image IDs', { short: 'q' }),
  ],
  operands: { min: 0, max: 1 },
  async run({ context, flags, operands }) {
    const full = flags.bool('no-trunc');
    const digests = flags.bool('digests');
    const quiet = flags.bool('quiet');
    const listing = imageListing(digests);
    const format = prepareFormat(
      flags.string('format') ?? (quiet ? '{{.ID}}' : undefined),
      listing,
    );
    const [reference] = operands;
    const filters = [
      ...flags.parsedList('filter', parseFilter),
      ...(reference === undefined ? [] : [['reference', reference] as const]),
    ];
    const query = { all: flags.bool('all'), digests, filters: encodeFilters(filters) };
    const client = await context.connect();
    const found = objectsOf(await client.json({ method: 'GET', path: '/images/json', query }));
    const now = Date.now();
    context.stdout.write(format(found.flatMap((image) => imageRows(image, full, now))));
    return 0;
  },
};
