import type { TemplatesPruned } from '../../../docker-api/a3s/template.ts';
import { numberOf, objectOf, stringsOf } from '../../client/json.ts';
import { reclaimed } from '../../output/human.ts';
import { pruneCommand } from '../prune-command.ts';

export const pruneTemplates = pruneCommand({
  flags: [],
  warning: () => 'all templates that no running box uses',
  async remove(client) {
    const answer = objectOf<TemplatesPruned>(
      await client.json({ method: 'POST', path: '/a3s/v1/templates/prune' }),
    );
    const removed = stringsOf(answer.removed);
    const text = removed.length > 0 ? `Deleted Templates:\n${removed.join('\n')}\n\n` : '';
    return `${text}${reclaimed(numberOf(answer.freedBytes))}`;
  },
});
