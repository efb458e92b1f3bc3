import { pipeline } from 'node:stream/promises';
import { A3sError } from '../../../errors.ts';
import { unreachable } from '../../client/failure.ts';
import type { Command } from '../../command.ts';
import { checkOutputPath, writeOutput } from '../../files/output-file.ts';
import { string } from '../../flags/flag.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { UsageError } from '../../usage-error.ts';

export const save: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  flags: [string('output', 'Write to a file, instead of STDOUT', { short: 'o' })],
  operands: { min: 1, max: Infinity },
  async run({ context, flags, operands }) {
    const path = flags.string('output') ?? '';
    if (path === '' && context.stdout.isTTY === true) {
      throw new UsageError('cowardly refusing to save to a terminal', {
        status: 1,
        remedy: 'Use the -o flag or redirect.',
      });
    }
    const target = path === '' ? undefined : checkOutputPath(context.cwd, path);
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const query = { names: operands };
      const archive = await client.stream({ method: 'GET', path: '/images/get', query, signal });
      let streamError: unknown;
      archive.once('error', (error) => {
        streamError = error;
      });
      try {
        if (target === undefined) await pipeline(archive, context.stdout, { end: false, signal });
        else await writeOutput(target, archive, signal);
      } catch (error) {
        // Distinguishes a connection that ends early from a file that cannot be written.
        if (error instanceof A3sError || streamError === undefined || error !== streamError)
          throw error;
        throw unreachable(error, client.socket);
      }
      return 0;
    });
  },
};
