import type { Command } from '../../../command.ts';
import { waitFor } from '../../../terminal/wait.ts';
import { eachOf } from '../../each-of.ts';

export const wait: Command = {
  usage: 'BOX [BOX...]',
  flags: [],
  operands: { min: 1, max: Infinity },
  async run({ context, operands }) {
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      const waiting = await waitFor(context, client, name, 'not-running');
      return String(await waiting.status());
    });
  },
};
