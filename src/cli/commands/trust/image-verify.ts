import type { Explanation } from '../../../docker-api/a3s/trust.ts';
import type { Command } from '../../command.ts';
import { byName, string } from '../../flags/flag.ts';
import { Template } from '../../output/go-template/template.ts';
import { describeDecision } from '../../output/trust-text.ts';
import { askAboutTrust, TRUST_FLAGS } from '../../requests/trust-request.ts';
import { DOCUMENT_FORMAT_HELP } from '../format-help.ts';

/** Exit status where nothing was decided; 1 says that the image is refused. */
const UNDECIDED = 2;

export const verifyImage: Command = {
  usage: '[OPTIONS] IMAGE',
  description:
    'Hold an image against the image policy, and change nothing.\n' +
    'Exits with 0 where the image may run, with 1 where it is refused, and with 2 where\n' +
    'that cannot be decided.',
  flags: byName([...TRUST_FLAGS, string('format', DOCUMENT_FORMAT_HELP, { short: 'f' })]),
  operands: { min: 1, max: 1 },
  failureStatus: UNDECIDED,
  usageStatus: UNDECIDED,
  async run(invocation) {
    const { stdout } = invocation.context;
    const format = invocation.flags.string('format') ?? '';
    const template = format === '' || format === 'json' ? undefined : new Template(format);
    const decision = await askAboutTrust<Explanation['decisions'][number]>(invocation, 'trust');
    if (template !== undefined) stdout.write(`${template.evaluate(decision)}\n`);
    else if (format === 'json') stdout.write(`${JSON.stringify(decision)}\n`);
    else stdout.write(describeDecision(decision));
    const { verdict } = decision;
    return verdict === 'signed' || verdict === 'unsigned' ? 0 : 1;
  },
};
