import type { SnapshotBody, SnapshotCreated } from '../../../docker-api/a3s/snapshot.ts';
import { objectOf, stringOf, stringsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';

export const createSnapshot: Command = {
  usage: '[OPTIONS] BOX',
  description:
    'Make a snapshot of a box: of its disk, or with --memory of a running box with all\n' +
    'that it has in memory. Boxes are made from it with a3s-box run --from-snapshot, and\n' +
    'a stopped box gets its disk back with a3s-box snapshot restore. A running box is\n' +
    'paused for a moment, and resumed.',
  flags: [
    bool('memory', 'Include what is in memory; the box has to run'),
    string('name', 'Assign a name to the snapshot'),
  ],
  operands: { min: 1, max: 1 },
  async run({ context, flags, operands }) {
    const name = flags.string('name');
    const [box = ''] = operands;
    const body: SnapshotBody = {
      ...{ box, memory: flags.bool('memory') },
      ...(name === undefined ? {} : { name }),
    };
    const client = await context.connect();
    const made = objectOf<SnapshotCreated>(
      await client.json({ method: 'POST', path: '/a3s/v1/snapshots', body }),
    );
    for (const warning of stringsOf(made.warnings)) {
      context.stderr.write(`WARNING: ${warning}\n`);
    }
    context.stdout.write(`${stringOf(made.id)}\n`);
    return 0;
  },
};
