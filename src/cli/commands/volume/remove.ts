import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { bool } from '../../flags/flag.ts';
import { eachOf } from '../each-of.ts';

export const removeVolumes: Command = {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  description: 'Remove one or more volumes. You cannot remove a volume that is in use by a box.',
  flags: [bool('force', 'Force the removal of one or more volumes', { short: 'f' })],
  operands: { min: 1, max: Infinity },
  async run({ context, flags, operands }) {
    const query = { force: flags.bool('force') };
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      await client.json({ method: 'DELETE', path: `/volumes/${segment(name)}`, query });
      return name;
    });
  },
};
