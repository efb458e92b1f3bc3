import { namedBootSet, SET_HELP } from '../../boot-library.ts';
import type { Command } from '../../command.ts';
import { INSPECT_FORMAT, showEach } from '../inspect-each.ts';

export const inspectBoot: Command = {
  usage: '[OPTIONS] SET [SET...]',
  description: `Display what one or more boot sets consist of, and were made from.\n${SET_HELP}`,
  flags: [INSPECT_FORMAT],
  operands: { min: 1, max: Infinity },
  run: (invocation) =>
    showEach(invocation, async () => async (name) => {
      const { set, current, imported } = await namedBootSet(invocation.context, name);
      return { ...set.document, directory: set.directory, current, imported };
    }),
};
