/**
 * Takes an open file of another process (pidfd_getfd(2)): the server may do so with a program in a
 * user namespace that it has made.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import { once } from '../../async/once.ts';
import { cLibrary } from '../../c-library.ts';
import { A3sError } from '../../errors.ts';

// The same for all processors.
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;

/**
 * @returns a descriptor of this process, which the caller closes; no child inherits it
 * @throws A3sError `network-failed`
 */
export async function takeDescriptor(pid: number, descriptor: number): Promise<number> {
  const { call, errno } = await calls();
  const refused = (): A3sError =>
    new A3sError('network-failed', `Cannot take over a tap device: error ${errno()}`, {
      remedy: 'The kernel has to be 5.6 or newer, and to allow pidfd_getfd; see kernel.yama.',
    });
  const process = call(SYS_PIDFD_OPEN, pid, 0, 0);
  if (process < 0) throw refused();
  try {
    const taken = call(SYS_PIDFD_GETFD, process, descriptor, 0);
    if (taken < 0) throw refused();
    return taken;
  } finally {
    closeSync(process);
  }
}

const calls = once(async () => {
  const { declare, errno } = await cLibrary();
  const syscall = declare('long syscall(long number, long a, long b, long c)');
  return { call: (...args: [number, number, number, number]) => Number(syscall(...args)), errno };
});
