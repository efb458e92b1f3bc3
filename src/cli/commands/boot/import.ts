import { createReadStream, type Stats, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { makeDirectories } from '../../../make-directories.ts';
import { withBoot } from '../../boot-library.ts';
import type { Command } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../usage-error.ts';

export const importBoot: Command = {
  usage: 'FILE|DIRECTORY|-',
  description:
    'Take in a boot set: what a3s-box boot export wrote, or a directory with one. It stays until it\n' +
    'is removed. Prints its id, which stands for every byte of it: compare it with what you expect.',
  flags: [],
  operands: { min: 1, max: 1 },
  async run({ context, operands }) {
    const [name = ''] = operands;
    const { home } = await context.config();
    const directory = name !== '-' && statOf(context, name).isDirectory();
    await makeDirectories(home, 0o700);
    const set = await withBoot(({ importBootSet, importBootDirectory }) =>
      directory
        ? importBootDirectory(home, resolve(context.cwd, name))
        : importBootSet(home, open(context, name)),
    );
    context.stdout.write(`${set.id}\n`);
    return 0;
  },
};

function open(context: Context, name: string): Readable {
  return name === '-' ? context.stdin : createReadStream(resolve(context.cwd, name));
}

function statOf(context: Context, name: string): Stats {
  try {
    return statSync(resolve(context.cwd, name));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const reason = code === 'ENOENT' ? 'no such file or directory' : String(code ?? error);
    throw new UsageError(`open ${name}: ${reason}`, { status: 1 });
  }
}
