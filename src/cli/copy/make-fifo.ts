/**
 * Makes a named pipe. Node has no call for it, so the host's program does.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Held } from './held.ts';

/**
 * @param name of ASCII: the program's arguments are text
 * @returns whether what has the name then is a pipe; somebody else may have replaced it
 */
export async function makeFifo(directory: Held, name: Buffer, mode: number): Promise<boolean> {
  // The program inherits no descriptor of the directory, and starts in it.
  const cwd = directory.itself;
  await promisify(execFile)('mkfifo', ['-m', '600', '--', name.toString()], { cwd });
  const held = await directory.child(name);
  try {
    if (!(await held.stat()).isFIFO()) return false;
    await chmod(held.itself, mode);
    return true;
  } finally {
    await held.close();
  }
}
