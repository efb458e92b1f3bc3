import type { Builders } from '../../../docker-api/a3s/builder.ts';
import { objectOf, objectsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';
import { prepareFormat } from '../../output/listing.ts';
import { BUILDER_LISTING, builderRow } from '../../output/rows/builder-row.ts';
import { FORMAT_HELP } from '../format-help.ts';

export const listBuilders: Command = {
  usage: '[OPTIONS]',
  flags: [
    string('format', FORMAT_HELP),
    bool('quiet', 'Only show names of builders', { short: 'q' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    // A mistake in the format is found before the server is asked.
    const format = prepareFormat(
      flags.string('format') ?? (flags.bool('quiet') ? '{{.Name}}' : undefined),
      BUILDER_LISTING,
    );
    const client = await context.connect();
    const answer = await client.json({ method: 'GET', path: '/a3s/v1/builders' });
    context.stdout.write(format(objectsOf(objectOf<Builders>(answer).builders).map(builderRow)));
    return 0;
  },
};
