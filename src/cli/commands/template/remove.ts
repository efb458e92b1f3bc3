import type { TemplateRemoved } from '../../../docker-api/a3s/template.ts';
import { segment } from '../../client/client.ts';
import { objectOf, stringOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { eachOf } from '../each-of.ts';

export const removeTemplates: Command = {
  usage: 'TEMPLATE [TEMPLATE...]',
  description:
    'Remove one or more templates. One that running boxes use stays.\n' +
    'The next box that boots without one has it made again.',
  flags: [],
  operands: { min: 1, max: Infinity },
  async run({ context, operands }) {
    const client = await context.connect();
    return eachOf(context, operands, async (id) => {
      const path = `/a3s/v1/templates/${segment(id)}`;
      return stringOf(
        objectOf<TemplateRemoved>(await client.json({ method: 'DELETE', path })).removed,
      );
    });
  },
};
