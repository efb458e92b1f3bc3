import type { Updated } from '../../../docker-api/containers/update.ts';
import { segment } from '../../client/client.ts';
import { objectOf, stringsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { byName } from '../../flags/flag.ts';
import { LIMIT_FLAGS, REFUSED_LIMIT_FLAGS } from '../../flags/resource-flags.ts';
import { givesLimits, limits } from '../../requests/resource-request.ts';
import { UsageError } from '../../usage-error.ts';
import { eachOf } from '../each-of.ts';

export const update: Command = {
  usage: '[OPTIONS] BOX [BOX...]',
  flags: byName([...LIMIT_FLAGS, ...REFUSED_LIMIT_FLAGS]),
  operands: { min: 1, max: Infinity },
  async run({ context, flags, operands }) {
    if (!givesLimits(flags)) {
      throw new UsageError('you must provide one or more flags when using this command', {
        status: 1,
      });
    }
    const body = limits(flags);
    const client = await context.connect();
    return eachOf(context, operands, async (name) => {
      const path = `/containers/${segment(name)}/update`;
      const { Warnings } = objectOf<Updated>(await client.json({ method: 'POST', path, body }));
      for (const warning of stringsOf(Warnings)) context.stderr.write(`WARNING: ${warning}\n`);
      return name;
    });
  },
};
