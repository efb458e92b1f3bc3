/**
 * `--policy-out`: the directory of the policies of an application.
 *
 * @module
 */
import { lstatSync, readFileSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { writeOutput } from '../../files/output-file.ts';
import { UsageError } from '../../usage-error.ts';

/** A line of every policy. */
const POLICY = /^\s*"?schema"?\s*:\s*"?a3s-box\/(attestation|application)-policy\//m;

/**
 * The absolute path. The directory need not exist.
 *
 * @throws UsageError for a path that cannot be one, before anything is measured
 */
export function policyDirectory(cwd: string, path: string): string {
  const directory = resolve(cwd, path);
  // Of an empty path, the working directory would be taken.
  if (path !== '' && (statOf(directory)?.isDirectory() ?? true)) return directory;
  throw new UsageError(`--policy-out: ${JSON.stringify(path)} is not a directory`);
}

function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw unwritable(path, error);
  }
}

/**
 * Services of a Compose file name the files, so nothing but a policy is replaced: a link would lead
 * out of the directory, and a service may have the name of another file.
 *
 * @param files by name
 * @throws UsageError where that cannot be done; then none is written
 */
export async function writePolicies(
  directory: string,
  files: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw unwritable(directory, error);
  }
  for (const name of files.keys()) {
    const path = join(directory, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) continue;
    if (found.isFile() && POLICY.test(readFileSync(path, 'utf8'))) continue;
    const why = found.isFile() ? 'exists, and is no policy' : 'is not a regular file';
    throw new UsageError(`--policy-out: ${JSON.stringify(path)} ${why}`, {
      remedy: 'Remove it, or name another directory.',
    });
  }
  for (const [name, content] of files) {
    await writeOutput(join(directory, name), Readable.from([content]), signal);
  }
}

function unwritable(path: string, error: unknown): UsageError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return new UsageError(`--policy-out: cannot write to ${path}: ${code}`);
}
