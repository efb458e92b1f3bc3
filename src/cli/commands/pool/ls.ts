import type { Pools } from '../../../docker-api/a3s/pool.ts';
import { objectOf, objectsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';
import { prepareFormat } from '../../output/listing.ts';
import { POOL_LISTING, poolRow } from '../../output/rows/pool-row.ts';
import { FORMAT_HELP } from '../format-help.ts';

export const listPools: Command = {
  usage: '[OPTIONS]',
  flags: [string('format', FORMAT_HELP), bool('quiet', 'Only show names of pools', { short: 'q' })],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    // A mistake in the format is found before the server is asked.
    const format = prepareFormat(
      flags.string('format') ?? (flags.bool('quiet') ? '{{.Name}}' : undefined),
      POOL_LISTING,
    );
    const client = await context.connect();
    const answer = objectOf<Pools>(await client.json({ method: 'GET', path: '/a3s/v1/pools' }));
    context.stdout.write(format(objectsOf(answer.pools).map(poolRow)));
    return 0;
  },
};
