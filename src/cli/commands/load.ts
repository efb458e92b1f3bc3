import { createReadStream, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { messages } from '../client/messages.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { bool, refused, string } from '../flags/flag.ts';
import { tarDirectory } from '../layout-tar.ts';
import { showProgress } from '../output/progress.ts';
import { UsageError } from '../usage-error.ts';

export const load: Command = {
  usage: '[OPTIONS]',
  description: 'Load an image from a tar archive, an OCI layout directory, or STDIN',
  flags: [
    string('input', 'Read from tar archive file or OCI layout directory, instead of STDIN', {
      short: 'i',
    }),
    refused('platform', "images are kept for the host's own platform"),
    bool('quiet', 'Suppress the load output', { short: 'q' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const body = openInput(context, flags.string('input'));
    try {
      const client = await context.connect();
      const query = { quiet: flags.bool('quiet') };
      const call = { method: 'POST', path: '/images/load', query, body } as const;
      await showProgress(messages(client, call), context.stdout, context.env);
      return 0;
    } finally {
      body.destroy();
    }
  },
};

function openInput(context: Context, path: string | undefined): Readable {
  if (path === undefined || path === '') {
    if (context.stdin.isTTY !== true) return context.stdin;
    throw new UsageError('requested load from stdin, but stdin is empty', {
      status: 1,
      remedy: 'Name a file or directory with -i, or pipe an archive in.',
    });
  }
  const stats = statInput(path);
  if (!stats.isDirectory()) return createReadStream(path);
  if (statSync(join(path, 'oci-layout'), { throwIfNoEntry: false })?.isFile() !== true) {
    throw new UsageError(`${path} is not an OCI layout: it has no file oci-layout`, {
      status: 1,
      code: 'invalid-image',
    });
  }
  return Readable.from(tarDirectory(path), { objectMode: false });
}

function statInput(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const reason = code === 'ENOENT' ? 'no such file or directory' : String(code ?? error);
    throw new UsageError(`open ${path}: ${reason}`, { status: 1 });
  }
}
