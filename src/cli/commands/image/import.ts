import { createReadStream, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { ProgressLine } from '../../../docker-api/images/progress.ts';
import { familiarRepository, parseReference } from '../../../oci/reference.ts';
import { messages } from '../../client/messages.ts';
import type { Command } from '../../command.ts';
import type { Context } from '../../context.ts';
import { list, string } from '../../flags/flag.ts';
import { showProgress } from '../../output/progress/progress.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { UsageError } from '../../usage-error.ts';
import { parsePlatform } from '../../values/platform.ts';

export const importImage: Command = {
  usage: '[OPTIONS] file|- [REPOSITORY[:TAG]]',
  flags: [
    list('change', 'Apply Dockerfile instruction to the created image', { short: 'c' }),
    string('message', 'Set commit message for imported image', { short: 'm' }),
    string('platform', 'Set platform if server is multi-platform capable'),
  ],
  operands: { min: 1, max: 2 },
  async run({ context, flags, operands }) {
    const [source = '', name] = operands;
    const reference = name === undefined ? undefined : parseReference(name);
    const query = {
      fromSrc: '-',
      repo: reference === undefined ? undefined : familiarRepository(reference),
      tag: reference?.tag,
      message: flags.string('message'),
      changes: flags.list('change'),
      platform: flags.parsed('platform', parsePlatform),
    };
    const body = openSource(context, source);
    try {
      const client = await context.connect();
      return await interruptible(context, async (signal) => {
        const call = { method: 'POST', path: '/images/create', query, body, signal } as const;
        await showProgress(messages<ProgressLine>(client, call), context.stdout, context.env);
        return 0;
      });
    } finally {
      body.destroy();
    }
  },
};

function openSource(context: Context, source: string): Readable {
  if (source === '-') {
    if (context.stdin.isTTY !== true) return context.stdin;
    throw new UsageError('cannot import from a terminal', {
      status: 1,
      remedy: 'Pipe an archive in, or name a file.',
    });
  }
  if (/^https?:\/\//.test(source)) {
    // The URL itself may have a password in it.
    throw new UsageError('unsupported source URL: the server fetches no archives', {
      code: 'unsupported-option',
      remedy: 'Fetch it and pipe it in: curl -fL URL | a3s-box import - NAME',
    });
  }
  const path = resolve(context.cwd, source);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new UsageError(`open ${source}: no such file or directory`, { status: 1 });
  }
  if (stats.isDirectory()) throw new UsageError(`open ${source}: is a directory`, { status: 1 });
  return createReadStream(path);
}
