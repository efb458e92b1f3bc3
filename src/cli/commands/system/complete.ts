import type { Command } from '../../command.ts';
import { namesOf } from '../../completion/names.ts';

/** Only text that a shell can show as one word. */
const WORD = /^[\w.:/@-]{1,512}$/;

export const complete: Command = {
  usage: 'KIND...',
  description: 'Print names that complete an operand; nothing where no server runs',
  flags: [],
  operands: { min: 1, max: 8 },
  async run({ context, operands }) {
    try {
      const client = await context.connectRunning();
      if (client === undefined) return 0;
      for (const kind of operands) {
        const names = (await namesOf(client, kind)).filter((name) => WORD.test(name));
        context.stdout.write(names.map((name) => `${name}\n`).join(''));
      }
      return 0;
    } catch {
      // A user who presses Tab does not want an error in the middle of the line.
      return 1;
    }
  },
};
