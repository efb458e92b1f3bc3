import type { Templates } from '../../../docker-api/a3s/template.ts';
import { objectOf, objectsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, list, string } from '../../flags/flag.ts';
import { prepareFormat } from '../../output/listing.ts';
import { TEMPLATE_LISTING, templateRow } from '../../output/rows/template-row.ts';
import { encodeFilters, parseFilter } from '../../values/filter.ts';
import { FORMAT_HELP } from '../format-help.ts';

export const listTemplates: Command = {
  usage: '[OPTIONS]',
  flags: [
    list('filter', 'Filter output based on conditions provided (id, state, cpus)', {
      short: 'f',
      value: 'filter',
    }),
    string('format', FORMAT_HELP),
    bool('no-trunc', "Don't truncate output"),
    bool('quiet', 'Only show template IDs', { short: 'q' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const full = flags.bool('no-trunc');
    // A mistake in the format is found before the server is asked.
    const format = prepareFormat(
      flags.string('format') ?? (flags.bool('quiet') ? '{{.ID}}' : undefined),
      TEMPLATE_LISTING,
    );
    const query = { filters: encodeFilters(flags.parsedList('filter', parseFilter)) };
    const client = await context.connect();
    const answer = objectOf<Templates>(
      await client.json({ method: 'GET', path: '/a3s/v1/templates', query }),
    );
    const now = Date.now();
    const rows = objectsOf(answer.templates).map((each) => templateRow(each, full, now));
    context.stdout.write(format(rows));
    return 0;
  },
};
