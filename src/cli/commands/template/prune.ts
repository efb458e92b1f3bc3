import { numberOf, objectOf, stringsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool } from '../../flags/flag.ts';
import { humanSize } from '../../output/human.ts';
import { Prompt } from '../../session/prompt.ts';

const DIGITS = 4;

export const pruneTemplates: Command = {
  usage: '[OPTIONS]',
  description: 'Remove all templates that no running box uses',
  flags: [bool('force', 'Do not prompt for confirmation', { short: 'f' })],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    if (!flags.bool('force')) {
      const question =
        'WARNING! This will remove all templates that no running box uses.\nAre you sure you want to continue? [y/N] ';
      const answer = await new Prompt(context).ask(question);
      if (answer?.trim().toLowerCase() !== 'y') return 0;
    }
    const client = await context.connect();
    const answer = objectOf(await client.json({ method: 'POST', path: '/a3s/v1/templates/prune' }));
    const removed = stringsOf(answer['removed']);
    if (removed.length > 0) context.stdout.write(`Deleted Templates:\n${removed.join('\n')}\n\n`);
    const reclaimed = humanSize(numberOf(answer['freedBytes']), DIGITS);
    context.stdout.write(`Total reclaimed space: ${reclaimed}\n`);
    return 0;
  },
};
