/**
 * What coreutils do with a whole directory, however deep it is and whatever a guest has left in it.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { A3sError } from '../errors.ts';

/**
 * Bytes that the files below a directory take on the disk; a file with several names counts once,
 * and what may not be read not at all.
 */
export async function directoryBytes(path: string): Promise<number> {
  const args = ['--summarize', '--block-size=1', '--one-file-system', '--', path];
  const { stdout } = await run('du', args);
  return Number(/^\d+/.exec(stdout)?.[0] ?? 0);
}

/** Writes back all that the file system of the directory has in memory. */
export async function syncFileSystem(path: string): Promise<void> {
  await expectDone('sync', ['--file-system', '--', path], `write back ${path}`);
}

/** Removes a directory with all that it has, if it is there. Follows no link. */
export async function removeTree(path: string, signal?: AbortSignal): Promise<void> {
  // Root needs no permissions. A box of an ordinary user may have left directories that its user
  // cannot enter.
  if (process.geteuid?.() !== 0) {
    await run('chmod', ['--recursive', 'u+rwx', '--', path], signal);
  }
  const args = ['--recursive', '--force', '--one-file-system', '--', path];
  await expectDone('rm', args, `remove ${path}`, signal);
}

async function expectDone(
  program: string,
  args: readonly string[],
  what: string,
  signal?: AbortSignal,
): Promise<void> {
  const { code } = await run(program, args, signal);
  if (code === 0) return;
  throw new A3sError('state-unusable', `Cannot ${what}: ${program} ended with status ${code}`);
}

/** What it prints of single files could be of any length, and is not read. */
async function run(
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<{ readonly code: number | null; readonly stdout: string }> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], signal });
  const ended = once(child, 'close');
  const [stdout, [code]] = await Promise.all([text(child.stdout), ended]);
  return { code, stdout };
}
