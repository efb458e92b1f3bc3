import type { ContainerSummary } from '../../../../docker-api/containers/container.ts';
import { objectsOf } from '../../../client/json.ts';
import type { Command } from '../../../command.ts';
import { bool, int, list, string } from '../../../flags/flag.ts';
import { prepareFormat } from '../../../output/listing.ts';
import { BOX_LISTING, boxRow, SIZED_BOX_LISTING } from '../../../output/rows/box-row.ts';
import { encodeFilters, parseFilter } from '../../../values/filter.ts';
import { FORMAT_HELP } from '../../format-help.ts';

export const ps: Command = {
  usage: '[OPTIONS]',
  flags: [
    bool('all', 'Show all boxes (default shows just running)', { short: 'a' }),
    list('filter', 'Filter output based on conditions provided', { short: 'f', value: 'filter' }),
    string('format', FORMAT_HELP),
    int('last', 'Show n last created boxes (includes all states) (default -1)', { short: 'n' }),
    bool('latest', 'Show the latest created box (includes all states)', { short: 'l' }),
    bool('no-trunc', "Don't truncate output"),
    bool('quiet', 'Only display box IDs', { short: 'q' }),
    bool('size', 'Display total file sizes', { short: 's' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const full = flags.bool('no-trunc');
    const quiet = flags.bool('quiet');
    const last = flags.bool('latest') ? 1 : (flags.int('last') ?? -1);
    const template = flags.string('format') ?? (quiet ? '{{.ID}}' : undefined);
    const size = flags.bool('size');
    const format = prepareFormat(template, size ? SIZED_BOX_LISTING : BOX_LISTING);
    // Measuring takes time: it is done for those who ask, or whose own columns have it.
    const measured = size || (!flags.given('size') && /\.Size\b/.test(template ?? ''));
    const query = {
      all: flags.bool('all') || last > 0,
      limit: last > 0 ? last : undefined,
      size: measured || undefined,
      filters: encodeFilters(flags.parsedList('filter', parseFilter)),
    };
    const client = await context.connect();
    const boxes = objectsOf<ContainerSummary>(
      await client.json({ method: 'GET', path: '/containers/json', query }),
    );
    const now = Date.now();
    context.stdout.write(format(boxes.map((box) => boxRow(box, full, now))));
    return 0;
  },
};
