/**
 * Replaces this process by another program (execve(2), which Node 20 does not have). The process id
 * stays, so a process that watches this one watches that program from then on.
 *
 * @module
 */
import { getSystemErrorMap } from 'node:util';
import { cLibrary } from '../../c-library.ts';
import { A3sError } from '../../errors.ts';

const F_SETFD = 2;
const STANDARD = [0, 1, 2];

/**
 * @param descriptors passed on beside the standard ones; Node has marked all its inherited
 * descriptors to be closed
 * @throws A3sError `tool-missing` on failure; otherwise it does not return
 */
export async function become(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  descriptors: readonly number[],
): Promise<never> {
  const { declare, errno } = await cLibrary();
  const fcntl = declare('int fcntl(int fd, int cmd, ...)');
  const execve = declare('int execve(const char *path, const char **argv, const char **envp)');
  for (const fd of [...STANDARD, ...descriptors]) fcntl(fd, F_SETFD, 'int', 0);
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  execve(path, [path, ...args, null], [...variables, null]);
  const [, reason] = getSystemErrorMap().get(-errno()) ?? ['', `error ${errno()}`];
  throw new A3sError('tool-missing', `Cannot start ${path}: ${reason}`);
}
