import type { ContainersPruned } from '../../../docker-api/prune.ts';
import type { Client } from '../../client/client.ts';
import { numberOf, objectOf, stringsOf } from '../../client/json.ts';
import { reclaimed } from '../../output/human.ts';
import { encodeFilters } from '../../values/filter.ts';
import { type Pruned, pruneCommand, pruneFilter } from '../prune-command.ts';

export const pruneBoxes = pruneCommand({
  flags: [pruneFilter('until=<timestamp>')],
  warning: () => 'all stopped boxes',
  async remove(client, filters) {
    const { text, bytes } = await removeStopped(client, encodeFilters(filters));
    return `${text}${reclaimed(bytes)}`;
  },
});

export async function removeStopped(client: Client, filters: string | undefined): Promise<Pruned> {
  const call = { method: 'POST', path: '/containers/prune', query: { filters } } as const;
  const answer = objectOf<ContainersPruned>(await client.json(call));
  const gone = stringsOf(answer.ContainersDeleted);
  return {
    text: gone.length > 0 ? `Deleted Boxes:\n${gone.join('\n')}\n\n` : '',
    bytes: numberOf(answer.SpaceReclaimed),
  };
}
