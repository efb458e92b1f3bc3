import type { SnapshotBody, SnapshotCreated } from '../../../docker-api/a3s/snapshot.ts';
import { objectOf, stringOf, stringsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool, string } from '../../flags/flag.ts';
import { UsageError } from '../../usage-error.ts';

export const createSnapshot: Command = {
  usage: '--memory [OPTIONS] BOX',
  description:
    'Make a snapshot of a running box: its memory and its disk. Boxes start from it\n' +
    'with a3s-box run --from-snapshot. The box is paused for a moment, and resumed.',
  flags: [
    bool('memory', 'Include what is in memory; there is no snapshot without'),
    string('name', 'Assign a name to the snapshot'),
  ],
  operands: { min: 1, max: 1 },
  async run({ context, flags, operands }) {
    if (!flags.bool('memory')) {
      throw new UsageError('a snapshot of a disk alone is not supported: --memory is needed', {
        code: 'unsupported-option',
        remedy: 'Add --memory.',
      });
    }
    const name = flags.string('name');
    const [box = ''] = operands;
    const body: SnapshotBody = { box, ...(name === undefined ? {} : { name }) };
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
