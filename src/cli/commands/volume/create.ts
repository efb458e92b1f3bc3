import type { Volume, VolumeCreateBody } from '../../../docker-api/volume.ts';
import { objectOf, stringOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { byName, list, refused, string } from '../../flags/flag.ts';
import { UsageError } from '../../usage-error.ts';
import { parseLabel, toMap } from '../../values/environment.ts';

const CLUSTER = 'there is no cluster mode';

export const createVolume: Command = {
  usage: '[OPTIONS] [VOLUME]',
  flags: byName([
    string('driver', 'Specify volume driver name (default "local")', { short: 'd' }),
    list('label', 'Set metadata for a volume'),
    string('name', 'Specify volume name'),
    list('opt', 'Set driver specific options', { short: 'o', value: 'map' }),
    refused('availability', CLUSTER),
    refused('group', CLUSTER),
    refused('limit-bytes', CLUSTER),
    refused('required-bytes', CLUSTER),
    refused('scope', CLUSTER),
    refused('secret', CLUSTER, 'list'),
    refused('sharing', CLUSTER),
    refused('topology-preferred', CLUSTER, 'list'),
    refused('topology-required', CLUSTER, 'list'),
    refused('type', CLUSTER),
  ]),
  operands: { min: 0, max: 1 },
  async run({ context, flags, operands }) {
    const [operand] = operands;
    const named = flags.string('name') ?? '';
    if (operand !== undefined && named !== '') {
      throw new UsageError(
        'conflicting options: either specify --name or provide positional arg, not both',
        { status: 1 },
      );
    }
    const body: VolumeCreateBody = {
      Name: operand ?? named,
      Driver: flags.string('driver') ?? 'local',
      DriverOpts: toMap(flags.list('opt')),
      Labels: toMap(flags.parsedList('label', parseLabel)),
    };
    const client = await context.connect();
    const call = { method: 'POST', path: '/volumes/create', body } as const;
    const made = objectOf<Volume>(await client.json(call));
    context.stdout.write(`${stringOf(made.Name)}\n`);
    return 0;
  },
};
