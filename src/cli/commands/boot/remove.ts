import { withBoot } from '../../boot-library.ts';
import type { Command } from '../../command.ts';
import { eachOf } from '../each-of.ts';

export const removeBoots: Command = {
  usage: 'SET [SET...]',
  description:
    'Let go of one or more boot sets that were imported. Their files go when the server next starts,\n' +
    'where no box pins them.',
  flags: [],
  operands: { min: 1, max: Infinity },
  async run({ context, operands }) {
    const places = await context.config();
    return eachOf(context, operands, (name) =>
      withBoot(async ({ findBootSet, forgetBootSet }) => {
        const { set } = await findBootSet(places, name);
        await forgetBootSet(places.home, set.id);
        return name;
      }),
    );
  },
};
