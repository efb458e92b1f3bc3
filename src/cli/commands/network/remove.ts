import { A3sError } from '../../../errors.ts';
import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { bool } from '../../flags/flag.ts';
import { eachOf } from '../each-of.ts';

export const removeNetworks: Command = {
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  description:
    'Remove one or more networks. You cannot remove a network that running boxes are in.',
  flags: [bool('force', 'Do not error if the network does not exist', { short: 'f' })],
  operands: { min: 1, max: Infinity },
  async run({ context, flags, operands }) {
    const force = flags.bool('force');
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      try {
        await client.json({ method: 'DELETE', path: `/networks/${segment(name)}` });
        return name;
      } catch (error) {
        const isGone = error instanceof A3sError && error.code === 'no-such-network';
        if (!force || !isGone) throw error;
        return undefined;
      }
    });
  },
};
