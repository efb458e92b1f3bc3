/**
 * Ends the process of a server that has released everything.
 *
 * @module
 */

/**
 * Ends this process without waiting for its threads. A thread that makes a key of the simulated
 * processor takes seconds and cannot be interrupted, and `process.exit` would wait for it.
 */
export async function exit(status: number): Promise<never> {
  const { default: koffi } = await import('koffi');
  koffi.load('libc.so.6').func('void _exit(int status)')(status);
  throw new Error('_exit returned');
}
