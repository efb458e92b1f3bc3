import type { Changes } from '../../../../docker-api/containers/changes.ts';
import { segment } from '../../../client/client.ts';
import { printable } from '../../../client/failure.ts';
import { numberOf, objectsOf, stringOf } from '../../../client/json.ts';
import type { Command } from '../../../command.ts';

/** By Docker's number of the kind. */
const KINDS = ['C', 'A', 'D'];

export const diff: Command = {
  usage: 'BOX',
  flags: [],
  operands: { min: 1, max: 1 },
  async run({ context, operands }) {
    const client = await context.connect();
    const path = `/containers/${segment(operands[0] ?? '')}/changes`;
    const changes = objectsOf<Changes[number]>(await client.json({ method: 'GET', path }));
    // A box chooses its names: one of them must not control the terminal, or look like two.
    const lines = changes.map(
      ({ Path, Kind }) => `${KINDS[numberOf(Kind)] ?? '?'} ${oneLine(stringOf(Path))}\n`,
    );
    context.stdout.write(lines.join(''));
    return 0;
  },
};

function oneLine(text: string): string {
  return printable(text).replaceAll(/[\t\n]/g, ' ');
}
