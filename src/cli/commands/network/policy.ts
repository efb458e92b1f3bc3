import type { EgressExplained } from '../../../docker-api/a3s/egress.ts';
import { segment } from '../../client/client.ts';
import { objectOf, objectsOf, type Received, stringOf, stringsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { string } from '../../flags/flag.ts';
import { jsonText } from '../../output/json-text.ts';
import { UsageError } from '../../usage-error.ts';

export const networkPolicy: Command = {
  usage: 'explain [OPTIONS] BOX HOST:PORT',
  description:
    'Explain what would happen to a connection of a box to HOST:PORT, and by which rule. Nothing is sent, and no name is resolved',
  flags: [
    string('format', 'Format of the output: text (default) or json'),
    string('protocol', 'Protocol of the connection: tcp (default) or udp'),
  ],
  operands: { min: 3, max: 3 },
  async run({ context, flags, operands: [verb = '', box = '', target = ''] }) {
    if (verb !== 'explain') {
      throw new UsageError(`unknown command: ${verb}: there is explain alone`, { status: 1 });
    }
    const format = oneOf(flags.string('format') ?? 'text', 'format', ['text', 'json']);
    const protocol = oneOf(flags.string('protocol') ?? 'tcp', 'protocol', ['tcp', 'udp']);
    const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(target) ?? [];
    if (host === '') {
      throw new UsageError(`invalid target ${target}: it is no HOST:PORT`, {
        ...{ status: 1, remedy: 'Write it as api.example.org:443.' },
      });
    }
    const asked = new URLSearchParams({ host, port, protocol });
    const client = await context.connect();
    const path = `/a3s/v1/boxes/${segment(box)}/egress?${asked}`;
    const found = objectOf<EgressExplained>(await client.json({ method: 'GET', path }));
    context.stdout.write(format === 'json' ? jsonText(found) : text(found));
    return 0;
  },
};

function oneOf(value: string, flag: string, values: readonly string[]): string {
  if (values.includes(value)) return value;
  throw new UsageError(`invalid argument "${value}" for --${flag}: say ${values.join(' or ')}`, {
    status: 1,
  });
}

function text(found: Received<EgressExplained>): string {
  const networks = objectsOf(found.Networks);
  const target = stringOf(found.Target);
  if (networks.length === 0)
    return `${target}: refused: the box has no network that leads outside\n`;
  return networks
    .flatMap((each) => {
      const verdict = each.Allowed === true ? 'allowed' : 'refused';
      const policy = stringOf(each.Policy);
      const why =
        policy === ''
          ? `since ${stringOf(each.Rule) || 'there is no policy'}`
          : `by ${stringOf(each.Rule)} (policy of the ${policy})`;
      const notes = stringsOf(each.Notes).map((note) => `  ${note}\n`);
      return [`${target} through ${stringOf(each.Network)}: ${verdict} ${why}\n`, ...notes];
    })
    .join('');
}
