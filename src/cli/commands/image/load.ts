import { createReadStream, type Stats, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { ProgressLine } from '../../../docker-api/images/progress.ts';
import { messages } from '../../client/messages.ts';
import type { Command } from '../../command.ts';
import type { Context } from '../../context.ts';
import { tarDirectory } from '../../files/layout-tar.ts';
import { bool, refused, string } from '../../flags/flag.ts';
import { canMove, showProgress } from '../../output/progress/progress.ts';
import { Upload } from '../../output/progress/upload-progress.ts';
import { UsageError } from '../../usage-error.ts';

export const load: Command = {
  usage: '[OPTIONS]',
  flags: [
    string('input', 'Read from tar archive file or OCI layout directory, instead of STDIN', {
      short: 'i',
    }),
    refused('platform', "images are kept for the host's own platform"),
    bool('quiet', 'Suppress the load output', { short: 'q' }),
  ],
  operands: { min: 0, max: 0 },
  async run({ context, flags }) {
    const input = openInput(context, flags.string('input'));
    try {
      const client = await context.connect();
      const quiet = flags.bool('quiet');
      const shown = !quiet && canMove(context.stdout, context.env);
      const upload = shown ? new Upload(input.body, input.name, input.size) : undefined;
      const body = upload?.body ?? input.body;
      const call = { method: 'POST', path: '/images/load', query: { quiet }, body } as const;
      const answers = messages<ProgressLine>(client, call);
      await showProgress(upload?.messages(answers) ?? answers, context.stdout, context.env);
      return 0;
    } finally {
      input.body.destroy();
    }
  },
};

interface Input {
  readonly body: Readable;
  readonly name: string;
  /** In bytes; 0 where the size is not known. */
  readonly size: number;
}

function openInput(context: Context, path: string | undefined): Input {
  if (path === undefined || path === '') {
    if (context.stdin.isTTY !== true) {
      return { body: context.stdin, name: 'standard input', size: 0 };
    }
    throw new UsageError('requested load from stdin, but stdin is empty', {
      status: 1,
      remedy: 'Name a file or directory with -i, or pipe an archive in.',
    });
  }
  const stats = statInput(path);
  const name = basename(resolve(context.cwd, path));
  if (!stats.isDirectory()) return { body: createReadStream(path), name, size: stats.size };
  if (statSync(join(path, 'oci-layout'), { throwIfNoEntry: false })?.isFile() !== true) {
    throw new UsageError(`${path} is not an OCI layout: it has no file oci-layout`, {
      status: 1,
      code: 'invalid-image',
    });
  }
  return { body: Readable.from(tarDirectory(path), { objectMode: false }), name, size: 0 };
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
