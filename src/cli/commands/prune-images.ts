import { numberOf, objectOf, objectsOf, stringOf } from '../client/json.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { bool, list } from '../flags/flag.ts';
import { humanSize } from '../output/human.ts';
import { Prompt } from '../session/prompt.ts';
import { encodeFilters, parseFilter } from '../values/filter.ts';

const DIGITS = 4;

export const pruneImages: Command = {
  usage: '[OPTIONS]',
  description: 'Remove unused images',
  flags: [
    bool('all', 'Remove all unused images, not just dangling ones', { short: 'a' }),
    list('filter', 'Provide filter values (e.g. "until=<timestamp>")', { value: 'filter' }),
    bool('force', 'Do not prompt for confirmation', { short: 'f' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const all = flags.bool('all');
    const filters = encodeFilters([
      ...flags.parsedList('filter', parseFilter),
      ['dangling', String(!all)],
    ]);
    if (!flags.bool('force') && !(await isConfirmed(context, all))) return 0;
    const client = await context.connect();
    const answer = objectOf(
      await client.json({ method: 'POST', path: '/images/prune', query: { filters } }),
    );
    const gone = objectsOf(answer['ImagesDeleted']).map(({ Untagged, Deleted }) =>
      Untagged === undefined ? `deleted: ${stringOf(Deleted)}` : `untagged: ${stringOf(Untagged)}`,
    );
    if (gone.length > 0) context.stdout.write(`Deleted Images:\n${gone.join('\n')}\n\n`);
    const reclaimed = humanSize(numberOf(answer['SpaceReclaimed']), DIGITS);
    context.stdout.write(`Total reclaimed space: ${reclaimed}\n`);
    return 0;
  },
};

async function isConfirmed(context: Context, all: boolean): Promise<boolean> {
  const which = all
    ? 'all images without at least one box associated to them'
    : 'all dangling images';
  const question = `WARNING! This will remove ${which}.\nAre you sure you want to continue? [y/N] `;
  const answer = await new Prompt(context).ask(question);
  return answer?.trim().toLowerCase() === 'y';
}
