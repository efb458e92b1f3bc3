/**
 * `cp`: files of a box, both ways.
 *
 * @module
 */
import { statSync } from 'node:fs';
import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isDiskFull } from '../../../../disk-full.ts';
import { type Client, segment } from '../../../client/client.ts';
import { printable, unreachable } from '../../../client/failure.ts';
import type { Command, Invocation } from '../../../command.ts';
import { pack } from '../../../copy/pack.ts';
import { type BoxPath, statBoxPath, statOfHeaders } from '../../../copy/path-stat.ts';
import {
  assertsDirectory,
  boxPath,
  localPath,
  placeCopy,
  type Side,
  splitOperand,
  splitPath,
} from '../../../copy/paths.ts';
import { unpack } from '../../../copy/unpack.ts';
import { bool } from '../../../flags/flag.ts';
import { humanSize } from '../../../output/human.ts';
import { interruptible } from '../../../terminal/interruptible.ts';
import { UsageError } from '../../../usage-error.ts';

/** Standard input or output in place of a local path. */
const STREAM = '-';
const MAX_LINKS = 40;

export const cp: Command = {
  usage: '[OPTIONS] BOX:SRC_PATH DEST_PATH|- | SRC_PATH|- BOX:DEST_PATH',
  flags: [
    bool('archive', 'Archive mode (copied files belong to the user of the box)', { short: 'a' }),
    bool('follow-link', 'Always follow symbol link in SRC_PATH', { short: 'L' }),
    bool('quiet', 'Suppress the summary of the copy', { short: 'q' }),
  ],
  operands: { min: 2, max: 2 },
  async run(invocation) {
    const [source = '', destination = ''] = invocation.operands;
    if (source === '') throw refused('source can not be empty');
    if (destination === '') throw refused('destination can not be empty');
    const from = splitOperand(source);
    const to = splitOperand(destination);
    if (from.box !== '' && to.box !== '') {
      throw refused('copying between containers is not supported');
    }
    if (from.box === '' && to.box === '') {
      throw refused('must specify at least one container source');
    }
    const client = await invocation.context.connect();
    return interruptible(invocation.context, async (signal) => {
      const copy: Copy = { invocation, client, signal };
      try {
        if (from.box !== '') await copyFrom(copy, from, to.path);
        else await copyTo(copy, from.path, to);
      } catch (error) {
        throw localError(error);
      }
      return 0;
    });
  },
};

interface Copy {
  readonly invocation: Invocation;
  readonly client: Client;
  readonly signal: AbortSignal;
}

async function copyFrom(copy: Copy, from: BoxPath, destination: string): Promise<void> {
  const { client, signal } = copy;
  const { context, flags } = copy.invocation;
  const local = destination === STREAM ? STREAM : localPath(context.cwd, destination);
  if (local !== STREAM) checkLocal(local);
  // The name of the copy is that of the link, also where what it leads to is copied.
  let path = boxPath(from.path);
  const { name } = splitPath(path);
  if (flags.bool('follow-link') && !assertsDirectory(path)) {
    const found = await statBoxPath(client, { box: from.box, path }, signal);
    if (found?.link !== undefined) path = boxPath(found.link);
  }
  const archive = await client.stream({
    ...{ method: 'GET', path: `/containers/${segment(from.box)}/archive`, query: { path }, signal },
  });
  let lost: unknown;
  archive.once('error', (error) => {
    lost = error;
  });
  const unpacked = { bytes: 0 };
  try {
    if (local === STREAM) await pipeline(archive, context.stdout, { end: false, signal });
    else {
      const { isDirectory } = statOfHeaders(archive.headers);
      const source = { path, exists: true, isDirectory, name };
      const placement = placeCopy(source, await localSide(local));
      await unpack(archive, splitPath(path).name, placement, unpacked);
    }
  } catch (error) {
    archive.destroy();
    // Distinguishes a connection that ends early from a file that cannot be written.
    throw lost === undefined || error !== lost ? error : unreachable(error, client.socket);
  }
  if (local !== STREAM) summarize(copy, unpacked.bytes, local);
}

async function copyTo(copy: Copy, source: string, to: BoxPath): Promise<void> {
  const { client, signal, invocation } = copy;
  const { context, flags } = invocation;
  const destination = await boxSide(client, to, signal);
  const packed = { bytes: 0 };
  let body: Readable;
  let { path } = destination;
  if (source === STREAM) {
    if (!destination.isDirectory) {
      throw refused(`destination "${to.box}:${printable(to.path)}" must be a directory`);
    }
    body = context.stdin;
  } else {
    const found = await localSource(localPath(context.cwd, source), flags.bool('follow-link'));
    const placement = placeCopy(found, destination);
    path = placement.directory;
    body = Readable.from(pack(found.content, placement.name, packed), { objectMode: false });
  }
  await client.json({
    ...{ method: 'PUT', path: `/containers/${segment(to.box)}/archive`, body, signal },
    query: { path, noOverwriteDirNonDir: true, copyUIDGID: flags.bool('archive') },
  });
  if (source !== STREAM) summarize(copy, packed.bytes, `${to.box}:${to.path}`);
}

/** What the destination in a box is. As in Docker, what cannot be described does not exist. */
async function boxSide(client: Client, to: BoxPath, signal: AbortSignal): Promise<Side> {
  let path = boxPath(to.path);
  let found = await statBoxPath(client, { box: to.box, path }, signal);
  if (found?.link !== undefined) {
    path = boxPath(found.link);
    found = await statBoxPath(client, { box: to.box, path }, signal);
  }
  if (found === undefined) return { path, exists: false, isDirectory: false };
  if (found.isSpecial) {
    throw refused(
      `destination "${to.box}:${printable(to.path)}" must be a directory or a regular file`,
    );
  }
  return { path, exists: true, isDirectory: found.isDirectory };
}

/** @returns with the path whose content is copied, of which links were followed as asked */
async function localSource(
  path: string,
  follow: boolean,
): Promise<Side & { readonly name: string; readonly content: string }> {
  const { name } = splitPath(path);
  const followed = follow || assertsDirectory(path);
  const stats = followed ? await stat(path) : await lstat(path);
  const content = followed ? await realpath(path) : path;
  return { path, exists: true, isDirectory: stats.isDirectory(), name, content };
}

/** @throws UsageError as Docker does before it asks for anything */
function checkLocal(path: string): void {
  const directory = dirname(resolve(path));
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) {
    throw refused(`invalid output path: directory ${JSON.stringify(directory)} does not exist`);
  }
}

/** What the destination on this host is. Its own links are followed: the user chose them. */
async function localSide(path: string): Promise<Side> {
  let target = path;
  for (let links = 0; !assertsDirectory(target); links += 1) {
    const found = await lstat(target).catch(unlessMissing);
    if (found?.isSymbolicLink() !== true) break;
    if (links === MAX_LINKS) throw refused(`too many links in ${path}`);
    target = resolve(dirname(target), await readlink(target));
  }
  const found = await stat(target).catch(unlessMissing);
  return {
    path: target,
    exists: found !== undefined,
    isDirectory: found?.isDirectory() === true,
  };
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}

/** Without a terminal, as in a script, Docker prints nothing. */
function summarize({ invocation: { context, flags } }: Copy, bytes: number, to: string): void {
  if (flags.bool('quiet') || context.stdout.isTTY !== true) return;
  context.stderr.write(`Successfully copied ${humanSize(bytes)} to ${printable(to)}\n`);
}

/** A file of this host that cannot be read or written is no fault of the program. */
function localError(error: unknown): unknown {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return error;
  const code = isDiskFull(error) ? { code: 'disk-full' as const } : {};
  return new UsageError(`Cannot copy: ${error.message}`, { status: 1, ...code });
}

function refused(why: string): UsageError {
  return new UsageError(why, { status: 1 });
}
