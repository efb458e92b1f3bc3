import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { bool } from '../../flags/flag.ts';
import { eachOf } from '../each-of.ts';

export const removeBuilders: Command = {
  usage: '[OPTIONS] BUILDER [BUILDER...]',
  description: 'End one or more builders, and remove all that they have cached',
  flags: [bool('force', 'Remove a builder although a build uses it', { short: 'f' })],
  operands: { min: 1, max: Infinity },
  async run({ context, flags, operands }) {
    const client = await context.connect();
    const force = flags.bool('force') ? '?force=true' : '';
    return eachOf(context, operands, async (name) => {
      const path = `/a3s/v1/builders/${segment(name)}${force}`;
      await client.json({ method: 'DELETE', path });
      return name;
    });
  },
};
