import type { Committed } from '../../../../docker-api/containers/commit.ts';
import { familiarRepository, parseReference } from '../../../../oci/reference.ts';
import { objectOf, stringOf } from '../../../client/json.ts';
import type { Command } from '../../../command.ts';
import { bool, list, string } from '../../../flags/flag.ts';
import type { FlagValues } from '../../../flags/flag-values.ts';
import { interruptible } from '../../../terminal/interruptible.ts';
import { UsageError } from '../../../usage-error.ts';

export const commit: Command = {
  usage: '[OPTIONS] BOX [REPOSITORY[:TAG]]',
  flags: [
    string('author', 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: 'a' }),
    list('change', 'Apply Dockerfile instruction to the created image', { short: 'c' }),
    string('message', 'Commit message', { short: 'm' }),
    bool('no-pause', 'Disable pausing the box during commit'),
    bool('pause', 'Pause the box during commit', { short: 'p', on: true }),
  ],
  operands: { min: 1, max: 2 },
  async run({ context, flags, operands }) {
    const [container = '', name] = operands;
    const reference = name === undefined ? undefined : parseReference(name);
    if (reference?.digest !== undefined) {
      throw new UsageError('refusing to create a tag with a digest reference', {
        status: 1,
        remedy: 'Write the name as [HOST[:PORT]/]NAME[:TAG]: the digest follows from the content.',
      });
    }
    const query = {
      container,
      repo: reference === undefined ? undefined : familiarRepository(reference),
      tag: reference?.tag,
      author: flags.string('author'),
      comment: flags.string('message'),
      changes: flags.list('change'),
      pause: pauses(flags) ? '1' : '0',
    };
    const client = await context.connect();
    return await interruptible(context, async (signal) => {
      const answer = await client.json({ method: 'POST', path: '/commit', query, signal });
      context.stdout.write(`${stringOf(objectOf<Committed>(answer).Id)}\n`);
      return 0;
    });
  },
};

/** `--pause` and `--no-pause` are the older and the newer spelling of one choice. */
function pauses(flags: FlagValues): boolean {
  if (!flags.given('no-pause')) return flags.bool('pause');
  if (!flags.given('pause')) return !flags.bool('no-pause');
  throw new UsageError('conflicting options: --no-pause and --pause cannot be used together', {
    status: 1,
    remedy: 'Leave one of them out.',
  });
}
