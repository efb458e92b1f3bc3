import type { Explanation } from '../../../docker-api/a3s/trust.ts';
import type { Command } from '../../command.ts';
import { bool, byName } from '../../flags/flag.ts';
import { jsonText } from '../../output/json-text.ts';
import { describeExplanation } from '../../output/trust-text.ts';
import { askAboutTrust, TRUST_FLAGS } from '../../requests/trust-request.ts';

export const explainTrust: Command = {
  usage: '[OPTIONS] IMAGE',
  description:
    'Explain what the image policy makes of an image: rule by rule and signature by signature,\n' +
    'what was expected and what was found. Changes nothing.',
  flags: byName([...TRUST_FLAGS, bool('json', 'Print a JSON document')]),
  operands: { min: 1, max: 1 },
  failureStatus: 2,
  async run(invocation) {
    const { context, flags } = invocation;
    const explanation = await askAboutTrust<Explanation>(invocation, 'trust/explanation');
    context.stdout.write(
      flags.bool('json') ? jsonText(explanation) : describeExplanation(explanation),
    );
    return 0;
  },
};
