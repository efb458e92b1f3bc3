import { canonicalName } from '../../../oci/reference.ts';
import type { Command } from '../../command.ts';
import { bool, refused, string } from '../../flags/flag.ts';
import { IMAGE_POLICY_FLAG } from '../../flags/image-flags.ts';
import { readImagePolicy, registerImagePolicy } from '../../requests/image-policy.ts';
import { pullImage, withTag } from '../../requests/pull-image.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { parsePlatform } from '../../values/platform.ts';

export const pull: Command = {
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  flags: [
    refused('all-tags', 'name each tag', 'bool', 'a'),
    refused('disable-content-trust', 'trust is never switched off by a flag', 'bool'),
    IMAGE_POLICY_FLAG,
    string('platform', 'Set platform if server is multi-platform capable'),
    bool('quiet', 'Suppress verbose output', { short: 'q' }),
  ],
  operands: { min: 1, max: 1 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const { stdout } = context;
    const quiet = flags.bool('quiet');
    const platform = flags.parsed('platform', parsePlatform);
    const reference = withTag(operands[0] ?? '', (line) => quiet || stdout.write(line));
    const policy = await readImagePolicy(invocation);
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const imagePolicy = await registerImagePolicy(client, policy);
      const output = quiet ? undefined : stdout;
      await pullImage(context, client, reference, { platform, imagePolicy, output, signal });
      stdout.write(`${canonicalName(reference)}\n`);
      return 0;
    });
  },
};
