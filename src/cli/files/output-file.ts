/**
 * A file that a flag names to be written: completely or not at all.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream, lstatSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isDiskFull } from '../../disk-full.ts';
import { A3sError } from '../../errors.ts';
import { UsageError } from '../usage-error.ts';

/**
 * The absolute path.
 *
 * @throws UsageError for a path that cannot be a file, before its content is requested
 */
export function checkOutputPath(cwd: string, path: string): string {
  const target = resolve(cwd, path);
  const directory = dirname(target);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw invalid(`directory ${JSON.stringify(directory)} does not exist`);
  }
  if (statSync(target, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw invalid(`${JSON.stringify(path)} is a directory`);
  }
  return target;
}

/**
 * Writes beside the file, and moves the result there once it is complete. A target that is not a
 * regular file, such as `/dev/null` or a pipe, is written to directly.
 */
export async function writeOutput(
  target: string,
  source: Readable,
  signal: AbortSignal,
): Promise<void> {
  const existing = lstatSync(target, { throwIfNoEntry: false });
  if (existing !== undefined && !existing.isFile()) {
    await pipeline(source, createWriteStream(target), { signal });
    return;
  }
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    await pipeline(source, file.createWriteStream({ flush: true }), { signal });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError(target, error);
  }
}

function fileError(target: string, error: unknown): unknown {
  if (isDiskFull(error)) {
    return new A3sError('disk-full', `Cannot write ${target}: there is no room`, { cause: error });
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    return new UsageError(`Cannot write ${target}: permission denied`, { status: 1 });
  }
  return error;
}

function invalid(reason: string): UsageError {
  return new UsageError(`invalid output path: ${reason}`, { status: 1 });
}
