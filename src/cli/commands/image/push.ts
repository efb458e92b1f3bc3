import type { ProgressLine } from '../../../docker-api/images/progress.ts';
import {
  canonicalName,
  canonicalRepository,
  familiarRepository,
  parseReference,
} from '../../../oci/reference.ts';
import { segment } from '../../client/client.ts';
import { messages } from '../../client/messages.ts';
import type { Command } from '../../command.ts';
import { registryAuth } from '../../credentials/registry-auth.ts';
import { bool, refused } from '../../flags/flag.ts';
import { showProgress } from '../../output/progress/progress.ts';
import { withTag } from '../../requests/pull-image.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { UsageError } from '../../usage-error.ts';

export const push: Command = {
  usage: '[OPTIONS] NAME[:TAG]',
  flags: [
    bool('all-tags', 'Push all tags of an image to the repository', { short: 'a' }),
    refused('disable-content-trust', 'sign with a3s-box image sign', 'bool'),
    bool('quiet', 'Suppress verbose output', { short: 'q' }),
    bool('signatures', 'Upload the signatures and attestations that the image has here, too'),
  ],
  operands: { min: 1, max: 1 },
  async run({ context, flags, operands }) {
    const { stdout } = context;
    const quiet = flags.bool('quiet');
    const name = operands[0] ?? '';
    const reference = flags.bool('all-tags')
      ? parseReference(name)
      : withTag(name, (line) => quiet || stdout.write(line));
    if (reference.digest !== undefined) {
      throw new UsageError('cannot push a digest reference', {
        status: 1,
        code: 'invalid-reference',
        remedy: 'Name a tag: the registry gives the image its digest.',
      });
    }
    if (flags.bool('all-tags') && reference.tag !== undefined) {
      throw new UsageError('tag cannot be used with --all-tags', { status: 1 });
    }
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const call = {
        method: 'POST',
        path: `/images/${segment(familiarRepository(reference))}/push`,
        query: { tag: reference.tag, signatures: flags.bool('signatures') || undefined },
        // Docker's clients always send the header, and its servers require it.
        headers: {
          'x-registry-auth': 'e30',
          ...(await registryAuth(context, canonicalRepository(reference))),
        },
        signal,
      } as const;
      await showProgress(
        messages<ProgressLine>(client, call),
        quiet ? undefined : stdout,
        context.env,
      );
      if (quiet) stdout.write(`${canonicalName(reference)}\n`);
      return 0;
    });
  },
};
