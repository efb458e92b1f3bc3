import type { Snapshots } from '../../../docker-api/a3s/snapshot.ts';
import { objectOf, objectsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';
import { prepareFormat } from '../../output/listing.ts';
import { SNAPSHOT_LISTING, snapshotRow } from '../../output/rows/snapshot-row.ts';
import { FORMAT_HELP } from '../format-help.ts';

export const listSnapshots: Command = {
  usage: '[OPTIONS]',
  flags: [
    string('format', FORMAT_HELP),
    bool('no-trunc', "Don't truncate output"),
    bool('quiet', 'Only show snapshot IDs', { short: 'q' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const full = flags.bool('no-trunc');
    // A mistake in the format is found before the server is asked.
    const format = prepareFormat(
      flags.string('format') ?? (flags.bool('quiet') ? '{{.ID}}' : undefined),
      SNAPSHOT_LISTING,
    );
    const client = await context.connect();
    const answer = objectOf<Snapshots>(
      await client.json({ method: 'GET', path: '/a3s/v1/snapshots' }),
    );
    const now = Date.now();
    const rows = objectsOf(answer.snapshots).map((each) => snapshotRow(each, full, now));
    context.stdout.write(format(rows));
    return 0;
  },
};
