import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { eachOf } from '../each-of.ts';

export const removePools: Command = {
  usage: 'POOL [POOL...]',
  description: 'Remove one or more pools, and end their microVMs',
  flags: [],
  operands: { min: 1, max: Infinity },
  async run({ context, operands }) {
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      await client.json({ method: 'DELETE', path: `/a3s/v1/pools/${segment(name)}` });
      return name;
    });
  },
};
