import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { int, string } from '../../flags/flag.ts';
import { eachOf } from '../each-of.ts';

export const restart: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  flags: [
    string('signal', 'Signal to send to the box', { short: 's' }),
    int('time', 'Seconds to wait before killing the box', { short: 't', alias: 'timeout' }),
  ],
  operands: { min: 1, max: Infinity },
  async run({ context, flags, operands }) {
    const query = { signal: flags.string('signal'), t: flags.int('time') };
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      await client.json({ method: 'POST', path: `/containers/${segment(name)}/restart`, query });
      return name;
    });
  },
};
