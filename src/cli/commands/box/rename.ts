import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { UsageError } from '../../usage-error.ts';

export const rename: Command = {
  usage: 'BOX NEW_NAME',
  flags: [],
  operands: { min: 2, max: 2 },
  async run({ context, operands }) {
    const [box = '', name = ''] = operands.map((operand) => operand.trim());
    if (box === '' || name === '') {
      throw new UsageError('neither old nor new names may be empty', { status: 1 });
    }
    const client = await context.connect();
    const path = `/containers/${segment(box)}/rename`;
    await client.json({ method: 'POST', path, query: { name } });
    return 0;
  },
};
