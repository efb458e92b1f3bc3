import type { VolumesPruned } from '../../../docker-api/volume.ts';
import type { Client } from '../../client/client.ts';
import { numberOf, objectOf, stringsOf } from '../../client/json.ts';
import { bool } from '../../flags/flag.ts';
import { reclaimed } from '../../output/human.ts';
import { UsageError } from '../../usage-error.ts';
import { encodeFilters, type Filter } from '../../values/filter.ts';
import { type Pruned, pruneCommand, pruneFilter } from '../prune-command.ts';

export const pruneVolumes = pruneCommand({
  flags: [
    bool('all', 'Remove all unused volumes, not just anonymous ones', { short: 'a' }),
    pruneFilter('label=<label>'),
  ],
  warning(flags, filters) {
    const all = flags.bool('all');
    if (all && filters.some(([name]) => name === 'all')) {
      throw new UsageError('conflicting options: cannot specify both --all and --filter all=1', {
        status: 1,
      });
    }
    return `${all ? 'all' : 'anonymous'} local volumes not used by at least one box`;
  },
  async remove(client, filters, flags) {
    const asked: readonly Filter[] = flags.bool('all') ? [...filters, ['all', 'true']] : filters;
    const { text, bytes } = await removeUnusedVolumes(client, asked);
    return `${text}${reclaimed(bytes)}`;
  },
});

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
