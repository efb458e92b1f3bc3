import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { bool } from '../../flags/flag.ts';

export const disconnectNetwork: Command = {
  usage: '[OPTIONS] NETWORK BOX',
  description: 'Disconnect a box from a network, also while it runs',
  flags: [bool('force', 'Force the box to disconnect from the network', { short: 'f' })],
  operands: { min: 2, max: 2 },
  async run({ context, flags, operands: [network = '', box = ''] }) {
    const body = { Container: box, Force: flags.bool('force') };
    const client = await context.connect();
    await client.json({ method: 'POST', path: `/networks/${segment(network)}/disconnect`, body });
    return 0;
  },
};
