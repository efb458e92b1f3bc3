import type { Processes as Listed } from '../../../../docker-api/containers/top.ts';
import { segment } from '../../../client/client.ts';
import { printable } from '../../../client/failure.ts';
import { objectOf, stringsOf } from '../../../client/json.ts';
import type { Command } from '../../../command.ts';
import { alignColumns } from '../../../output/table.ts';

/** The narrowest column, as Docker has it here. */
const MIN_WIDTH = 20;

export const top: Command = {
  usage: 'BOX [ps OPTIONS]',
  flags: [],
  operands: { min: 1, max: Infinity },
  passThrough: true,
  async run({ context, operands }) {
    const [box = '', ...options] = operands;
    const query = { ps_args: options.length === 0 ? undefined : options.join(' ') };
    const client = await context.connect();
    const path = `/containers/${segment(box)}/top`;
    const { Titles, Processes } = objectOf<Listed>(
      await client.json({ method: 'GET', path, query }),
    );
    const rows = Array.isArray(Processes) ? Processes.map(stringsOf) : [];
    const lines = [stringsOf(Titles), ...rows].map((cells) => cells.map(oneCell).join('\t'));
    context.stdout.write(alignColumns(lines, MIN_WIDTH));
    return 0;
  },
};

/**
 * Programs choose their own names: a name must not break the table's layout, and must not control
 * the terminal.
 */
function oneCell(text: string): string {
  return printable(text).replaceAll(/[\t\n]/g, ' ');
}
