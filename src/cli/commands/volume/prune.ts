import type { VolumesPruned } from '../../../docker-api/volume.ts';
import type { Client } from '../../client/client.ts';
import { numberOf, objectOf, stringsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, list } from '../../flags/flag.ts';
import { reclaimed } from '../../output/human.ts';
import { isConfirmed } from '../../terminal/confirm.ts';
import { UsageError } from '../../usage-error.ts';
import { encodeFilters, type Filter, parseFilter } from '../../values/filter.ts';
import type { Pruned } from '../box/prune.ts';

export const pruneVolumes: Command = {
  usage: '[OPTIONS]',
  flags: [
    bool('all', 'Remove all unused volumes, not just anonymous ones', { short: 'a' }),
    list('filter', 'Provide filter values (e.g. "label=<label>")', { value: 'filter' }),
    bool('force', 'Do not prompt for confirmation', { short: 'f' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const all = flags.bool('all');
    const filters = flags.parsedList('filter', parseFilter);
    if (all && filters.some(([name]) => name === 'all')) {
      throw new UsageError('conflicting options: cannot specify both --all and --filter all=1', {
        status: 1,
      });
    }
    const kind = all ? 'all' : 'anonymous';
    const warning = `WARNING! This will remove ${kind} local volumes not used by at least one box.`;
    if (!flags.bool('force') && !(await isConfirmed(context, warning))) return 0;
    const asked: readonly Filter[] = all ? [...filters, ['all', 'true']] : filters;
    const { text, bytes } = await removeUnusedVolumes(await context.connect(), asked);
    context.stdout.write(`${text}${reclaimed(bytes)}`);
    return 0;
  },
};

/** Anonymous volumes alone, unless a filter says otherwise. */
export async function removeUnusedVolumes(
  client: Client,
  filters: readonly Filter[],
): Promise<Pruned> {
  const query = { filters: encodeFilters(filters) };
  const call = { method: 'POST', path: '/volumes/prune', query } as const;
  const answer = objectOf<VolumesPruned>(await client.json(call));
  const gone = stringsOf(answer.VolumesDeleted);
  if (gone.length === 0) return { text: '', bytes: 0 };
  return {
    text: `Deleted Volumes:\n${gone.join('\n')}\n\n`,
    bytes: numberOf(answer.SpaceReclaimed),
  };
}
