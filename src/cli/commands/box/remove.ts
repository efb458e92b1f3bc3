import { A3sError } from '../../../errors.ts';
import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { bool } from '../../flags/flag.ts';
import { printFailure } from '../../print-failure.ts';
import { eachOf } from '../each-of.ts';

export const rm: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  flags: [
    bool('force', 'Force the removal of a running box (uses SIGKILL)', { short: 'f' }),
    bool('link', 'Remove the specified link, BOX/ALIAS, of the default network', { short: 'l' }),
    bool('volumes', 'Remove anonymous volumes associated with the box', { short: 'v' }),
  ],
  operands: { min: 1, max: Infinity },
  async run({ context, flags, operands }) {
    const force = flags.bool('force');
    const link = flags.bool('link') ? { link: true } : {};
    const query = { force, ...link, v: flags.bool('volumes') };
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      const path = `/containers/${segment(name)}`;
      try {
        await client.json({ method: 'DELETE', path, query });
        return name;
      } catch (error) {
        if (!force || !(error instanceof A3sError) || error.code !== 'no-such-box') throw error;
        // As with Docker, a missing box is no failure, and a message says that it is missing.
        printFailure(context, error);
        return undefined;
      }
    });
  },
};
