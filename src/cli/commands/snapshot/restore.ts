import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { eachOf } from '../each-of.ts';

export const restoreSnapshots: Command = {
  usage: 'SNAPSHOT [SNAPSHOT...]',
  description:
    'Give the box that a snapshot was made of the disk of that moment back. The box has to\n' +
    'be stopped; what it has written since is gone.',
  flags: [],
  operands: { min: 1, max: Infinity },
  async run({ context, operands }) {
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      await client.json({ method: 'POST', path: `/a3s/v1/snapshots/${segment(name)}/restore` });
      return name;
    });
  },
};
