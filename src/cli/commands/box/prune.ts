import type { ContainersPruned } from '../../../docker-api/prune.ts';
import type { Client } from '../../client/client.ts';
import { numberOf, objectOf, stringsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, list } from '../../flags/flag.ts';
import { reclaimed } from '../../output/human.ts';
import { isConfirmed } from '../../terminal/confirm.ts';
import { encodeFilters, parseFilter } from '../../values/filter.ts';

export const pruneBoxes: Command = {
  usage: '[OPTIONS]',
  flags: [
    list('filter', 'Provide filter values (e.g. "until=<timestamp>")', { value: 'filter' }),
    bool('force', 'Do not prompt for confirmation', { short: 'f' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const filters = encodeFilters(flags.parsedList('filter', parseFilter));
    const warning = 'WARNING! This will remove all stopped boxes.';
    if (!flags.bool('force') && !(await isConfirmed(context, warning))) return 0;
    const { text, bytes } = await removeStopped(await context.connect(), filters);
    context.stdout.write(`${text}${reclaimed(bytes)}`);
    return 0;
  },
};

/** The removed boxes as text, which is empty where there are none, and the reclaimed space. */
export interface Pruned {
  readonly text: string;
  readonly bytes: number;
}

export async function removeStopped(client: Client, filters: string | undefined): Promise<Pruned> {
  const call = { method: 'POST', path: '/containers/prune', query: { filters } } as const;
  const answer = objectOf<ContainersPruned>(await client.json(call));
  const gone = stringsOf(answer.ContainersDeleted);
  return {
    text: gone.length > 0 ? `Deleted Boxes:\n${gone.join('\n')}\n\n` : '',
    bytes: numberOf(answer.SpaceReclaimed),
  };
}
