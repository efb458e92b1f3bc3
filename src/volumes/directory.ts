/**
 * What coreutils do with a whole directory.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { A3sError } from '../errors.ts';

const run = promisify(execFile);

/** Bytes that the files below a directory take on the disk; a file with several names counts once. */
export async function directoryBytes(path: string): Promise<number> {
  const args = ['--summarize', '--block-size=1', '--one-file-system', '--', path];
  // A file that goes meanwhile makes `du` fail, with the sum of the rest on its output.
  const stdout = await run('du', args).then(
    (done) => done.stdout,
    (error: unknown) => outputOf(error),
  );
  const bytes = Number(/^\d+/.exec(stdout)?.[0]);
  if (!Number.isNaN(bytes)) return bytes;
  throw new A3sError('state-unusable', `Cannot measure ${path}: ${stdout.slice(0, 200)}`);
}

/** Writes back all that the file system of the directory has in memory. */
export async function syncFileSystem(path: string): Promise<void> {
  await run('sync', ['--file-system', '--', path]);
}

function outputOf(error: unknown): string {
  if (error instanceof Error && 'stdout' in error) return String(error.stdout);
  throw error;
}
