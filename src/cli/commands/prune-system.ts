import type { Command } from '../command.ts';
import { bool, list, refused } from '../flags/flag.ts';
import { reclaimed } from '../output/human.ts';
import { isConfirmed } from '../session/confirm.ts';
import { encodeFilters, type Filter, parseFilter } from '../values/filter.ts';
import { removeStopped } from './prune-boxes.ts';
import { removeUnused, unusedImages } from './prune-images.ts';

export const pruneSystem: Command = {
  usage: '[OPTIONS]',
  description: 'Remove unused data',
  flags: [
    bool('all', 'Remove all unused images not just dangling ones', { short: 'a' }),
    list('filter', 'Provide filter values (e.g. "label=<key>=<value>")', { value: 'filter' }),
    bool('force', 'Do not prompt for confirmation', { short: 'f' }),
    refused('volumes', 'there are no volumes', 'bool'),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const all = flags.bool('all');
    const filters = flags.parsedList('filter', parseFilter);
    const warning = warningOf(all, filters);
    if (!flags.bool('force') && !(await isConfirmed(context, warning))) return 0;
    const client = await context.connect();
    // Boxes first: an image that only they used is then unused.
    const boxes = await removeStopped(client, encodeFilters(filters));
    context.stdout.write(boxes.text);
    const images = await removeUnused(client, all, filters);
    context.stdout.write(`${images.text}${reclaimed(boxes.bytes + images.bytes)}`);
    return 0;
  },
};

function warningOf(all: boolean, filters: readonly Filter[]): string {
  const lines = [
    'WARNING! This will remove:',
    '  - all stopped boxes',
    `  - ${unusedImages(all)}`,
    '',
  ];
  if (filters.length > 0) {
    lines.push('  Items to be pruned will be filtered with:');
    lines.push(...filters.map(([name, value]) => `  - ${name}=${value}`), '');
  }
  return lines.join('\n');
}
