import type { HistoryEntry } from '../../../docker-api/images/image.ts';
import { segment } from '../../client/client.ts';
import { objectsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';
import { prepareFormat } from '../../output/listing.ts';
import { historyListing, historyRow } from '../../output/rows/history-row.ts';
import { FORMAT_HELP } from '../format-help.ts';

export const history: Command = {
  usage: '[OPTIONS] IMAGE',
  flags: [
    string('format', FORMAT_HELP),
    bool('human', 'Print sizes and dates in human readable format', { short: 'H', on: true }),
    bool('no-trunc', "Don't truncate output"),
    bool('quiet', 'Only show image IDs', { short: 'q' }),
  ],
  operands: { min: 1, max: 1 },
  async run({ context, flags, operands }) {
    const human = flags.bool('human');
    const full = flags.bool('no-trunc');
    const format = prepareFormat(
      flags.string('format') ?? (flags.bool('quiet') ? '{{.ID}}' : undefined),
      historyListing(human),
    );
    const client = await context.connect();
    const path = `/images/${segment(operands[0] ?? '')}/history`;
    const steps = objectsOf<HistoryEntry>(await client.json({ method: 'GET', path }));
    const now = Date.now();
    context.stdout.write(format(steps.map((step) => historyRow(step, full, human, now))));
    return 0;
  },
};
