import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { string } from '../../flags/flag.ts';
import { eachOf } from '../each-of.ts';

export const kill: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  flags: [string('signal', 'Signal to send to the box (default KILL)', { short: 's' })],
  operands: { min: 1, max: Infinity },
  async run({ context, flags, operands }) {
    const query = { signal: flags.string('signal') };
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      await client.json({ method: 'POST', path: `/containers/${segment(name)}/kill`, query });
      return name;
    });
  },
};
