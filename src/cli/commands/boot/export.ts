import { Readable } from 'node:stream';
import { namedBootSet, SET_HELP, withBoot } from '../../boot-library.ts';
import type { Command } from '../../command.ts';
import { checkOutputPath, writeOutput } from '../../files/output-file.ts';
import { string } from '../../flags/flag.ts';
import { interruptible } from '../../terminal/interruptible.ts';

export const exportBoot: Command = {
  usage: '[OPTIONS] FILE',
  description:
    'Write a boot set to a tar archive, for a3s-box boot import elsewhere. Equal sets have equal\n' +
    `archives. Prints the id of the set. ${SET_HELP}`,
  flags: [string('set', 'Another set than the one of this installation', { value: 'set' })],
  operands: { min: 1, max: 1 },
  async run({ context, flags, operands }) {
    const target = checkOutputPath(context.cwd, operands[0] ?? '');
    const { set } = await namedBootSet(context, flags.string('set'));
    return interruptible(context, async (signal) => {
      await withBoot(({ exportBootSet }) =>
        writeOutput(target, Readable.from(exportBootSet(set), { objectMode: false }), signal),
      );
      context.stdout.write(`${set.id}\n`);
      return 0;
    });
  },
};
