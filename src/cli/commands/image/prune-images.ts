import type { ImagesPruned } from '../../../docker-api/prune.ts';
import type { Client } from '../../client/client.ts';
import { numberOf, objectOf, objectsOf, stringOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, list } from '../../flags/flag.ts';
import { reclaimed } from '../../output/human.ts';
import { isConfirmed } from '../../terminal/confirm.ts';
import { encodeFilters, type Filter, parseFilter } from '../../values/filter.ts';
import type { Pruned } from '../prune-command.ts';

export const pruneImages: Command = {
  usage: '[OPTIONS]',
  flags: [
    bool('all', 'Remove all unused images, not just dangling ones', { short: 'a' }),
    list('filter', 'Provide filter values (e.g. "until=<timestamp>")', { value: 'filter' }),
    bool('force', 'Do not prompt for confirmation', { short: 'f' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const all = flags.bool('all');
    const filters = flags.parsedList('filter', parseFilter);
    const warning = `WARNING! This will remove ${unusedImages(all)}.`;
    if (!flags.bool('force') && !(await isConfirmed(context, warning))) return 0;
    const { text, bytes } = await removeUnused(await context.connect(), all, filters);
    context.stdout.write(`${text}${reclaimed(bytes)}`);
    return 0;
  },
};

/** The images that are removed, in the words of the prompt. */
export function unusedImages(all: boolean): string {
  return all ? 'all images without at least one box associated to them' : 'all dangling images';
}

export async function removeUnused(
  client: Client,
  all: boolean,
  given: readonly Filter[],
): Promise<Pruned> {
  const filters = encodeFilters([...given, ['dangling', String(!all)]]);
  const call = { method: 'POST', path: '/images/prune', query: { filters } } as const;
  const answer = objectOf<ImagesPruned>(await client.json(call));
  const gone = objectsOf(answer.ImagesDeleted).map(({ Untagged, Deleted }) =>
    Untagged === undefined ? `deleted: ${stringOf(Deleted)}` : `untagged: ${stringOf(Untagged)}`,
  );
  return {
    text: gone.length > 0 ? `Deleted Images:\n${gone.join('\n')}\n\n` : '',
    bytes: numberOf(answer.SpaceReclaimed),
  };
}
