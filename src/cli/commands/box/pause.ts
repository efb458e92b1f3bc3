import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { eachOf } from '../each-of.ts';

export const pause: Command = verb('pause', 'Pause all processes within one or more boxes');

export const unpause: Command = verb('unpause', 'Unpause all processes within one or more boxes');

function verb(name: 'pause' | 'unpause', description: string): Command {
  return {
    usage: 'BOX [BOX...]',
    description,
    flags: [],
    operands: { min: 1, max: Infinity },
    async run({ context, operands }) {
      const client = await context.connect();
      return eachOf(context, operands, async (box) => {
        await client.json({ method: 'POST', path: `/containers/${segment(box)}/${name}` });
        return box;
      });
    },
  };
}
