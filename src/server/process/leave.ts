/**
 * The end of a server that has let go of everything.
 *
 * @module
 */

/**
 * Ends this process without waiting for work that nobody waits for any more: keys of the simulated processor are seconds
 * in the making, in a thread that cannot be interrupted and that an ordinary end would wait for.
 */
export async function leave(status: number): Promise<never> {
  const { default: koffi } = await import('koffi');
  koffi.load('libc.so.6').func('void _exit(int status)')(status);
  throw new Error('_exit returned');
}
