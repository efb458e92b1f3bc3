import type { TemplatesPruned } from '../../../docker-api/a3s/template.ts';
import { numberOf, objectOf, stringsOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool } from '../../flags/flag.ts';
import { reclaimed } from '../../output/human.ts';
import { isConfirmed } from '../../terminal/confirm.ts';

export const pruneTemplates: Command = {
  usage: '[OPTIONS]',
  flags: [bool('force', 'Do not prompt for confirmation', { short: 'f' })],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    if (!flags.bool('force')) {
      const warning = 'WARNING! This will remove all templates that no running box uses.';
      if (!(await isConfirmed(context, warning))) return 0;
    }
    const client = await context.connect();
    const answer = objectOf<TemplatesPruned>(
      await client.json({ method: 'POST', path: '/a3s/v1/templates/prune' }),
    );
    const removed = stringsOf(answer.removed);
    if (removed.length > 0) context.stdout.write(`Deleted Templates:\n${removed.join('\n')}\n\n`);
    context.stdout.write(reclaimed(numberOf(answer.freedBytes)));
    return 0;
  },
};
