import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { eachOf } from '../each-of.ts';

export const removeSnapshots: Command = {
  usage: 'SNAPSHOT [SNAPSHOT...]',
  description: 'Remove one or more snapshots. Boxes that were made from them stay as they are.',
  flags: [],
  operands: { min: 1, max: Infinity },
  async run({ context, operands }) {
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      await client.json({ method: 'DELETE', path: `/a3s/v1/snapshots/${segment(name)}` });
      return name;
    });
  },
};
