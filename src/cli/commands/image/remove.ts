import type { Removed } from '../../../docker-api/images/image.ts';
import { segment } from '../../client/client.ts';
import { objectsOf, stringOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool } from '../../flags/flag.ts';
import { eachOf } from '../each-of.ts';

export const rmi: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  flags: [
    bool('force', 'Force removal of the image', { short: 'f' }),
    bool('no-prune', 'Do not delete untagged parents; there are none'),
  ],
  operands: { min: 1, max: Infinity },
  async run({ context, flags, operands }) {
    const query = { force: flags.bool('force'), noprune: flags.bool('no-prune') };
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      const path = `/images/${segment(name)}`;
      const gone = objectsOf<Removed>(await client.json({ method: 'DELETE', path, query }));
      const lines = gone.map(({ Untagged, Deleted }) =>
        Untagged === undefined
          ? `Deleted: ${stringOf(Deleted)}`
          : `Untagged: ${stringOf(Untagged)}`,
      );
      return lines.length === 0 ? undefined : lines.join('\n');
    });
  },
};
