import type { Command } from '../../command.ts';
import { bool, list } from '../../flags/flag.ts';
import { reclaimed } from '../../output/human.ts';
import { isConfirmed } from '../../terminal/confirm.ts';
import { UsageError } from '../../usage-error.ts';
import { encodeFilters, type Filter, parseFilter } from '../../values/filter.ts';
import { removeStopped } from '../box/prune.ts';
import { removeUnused, unusedImages } from '../image/prune-images.ts';
import { removeUnusedNetworks } from '../network/prune.ts';
import { removeUnusedVolumes } from '../volume/prune.ts';

export const pruneSystem: Command = {
  usage: '[OPTIONS]',
  flags: [
    bool('all', 'Remove all unused images not just dangling ones', { short: 'a' }),
    list('filter', 'Provide filter values (e.g. "label=<key>=<value>")', { value: 'filter' }),
    bool('force', 'Do not prompt for confirmation', { short: 'f' }),
    bool('volumes', 'Prune anonymous volumes'),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const all = flags.bool('all');
    const volumes = flags.bool('volumes');
    const filters = flags.parsedList('filter', parseFilter);
    if (volumes && filters.some(([name]) => name === 'until')) {
      throw new UsageError('ERROR: The "until" filter is not supported with "--volumes"', {
        status: 1,
      });
    }
    const warning = warningOf({ all, volumes, filters });
    if (!flags.bool('force') && !(await isConfirmed(context, warning))) return 0;
    const client = await context.connect();
    // Boxes first: what only they used is then unused.
    const boxes = await removeStopped(client, encodeFilters(filters));
    context.stdout.write(boxes.text);
    context.stdout.write(await removeUnusedNetworks(client, encodeFilters(filters)));
    const gone = volumes ? await removeUnusedVolumes(client, filters) : { text: '', bytes: 0 };
    context.stdout.write(gone.text);
    const images = await removeUnused(client, all, filters);
    const bytes = boxes.bytes + gone.bytes + images.bytes;
    context.stdout.write(`${images.text}${reclaimed(bytes)}`);
    return 0;
  },
};

interface Asked {
  readonly all: boolean;
  readonly volumes: boolean;
  readonly filters: readonly Filter[];
}

function warningOf({ all, volumes, filters }: Asked): string {
  const lines = [
    'WARNING! This will remove:',
    '  - all stopped boxes',
    '  - all networks not used by at least one box',
    ...(volumes ? ['  - all anonymous volumes not used by at least one box'] : []),
    `  - ${unusedImages(all)}`,
    '',
  ];
  if (filters.length > 0) {
    lines.push('  Items to be pruned will be filtered with:');
    lines.push(...filters.map(([name, value]) => `  - ${name}=${value}`), '');
  }
  return lines.join('\n');
}
