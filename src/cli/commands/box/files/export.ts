import { pipeline } from 'node:stream/promises';
import { A3sError } from '../../../../errors.ts';
import { segment } from '../../../client/client.ts';
import { unreachable } from '../../../client/failure.ts';
import type { Command } from '../../../command.ts';
import { checkOutputPath, writeOutput } from '../../../files/output-file.ts';
import { string } from '../../../flags/flag.ts';
import { interruptible } from '../../../terminal/interruptible.ts';
import { UsageError } from '../../../usage-error.ts';

export const exportBox: Command = {
  usage: '[OPTIONS] BOX',
  flags: [string('output', 'Write to a file, instead of STDOUT', { short: 'o' })],
  operands: { min: 1, max: 1 },
  async run({ context, flags, operands }) {
    const output = flags.string('output') ?? '';
    if (output === '' && context.stdout.isTTY === true) {
      throw new UsageError('cowardly refusing to save to a terminal', {
        status: 1,
        remedy: 'Use the -o flag or redirect.',
      });
    }
    const target = output === '' ? undefined : checkOutputPath(context.cwd, output);
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const path = `/containers/${segment(operands[0] ?? '')}/export`;
      const archive = await client.stream({ method: 'GET', path, signal });
      let lost: unknown;
      archive.once('error', (error) => {
        lost = error;
      });
      try {
        if (target === undefined) await pipeline(archive, context.stdout, { end: false, signal });
        else await writeOutput(target, archive, signal);
      } catch (error) {
        // Distinguishes a connection that ends early from a file that cannot be written.
        if (error instanceof A3sError || lost === undefined || error !== lost) throw error;
        throw unreachable(error, client.socket);
      }
      return 0;
    });
  },
};
