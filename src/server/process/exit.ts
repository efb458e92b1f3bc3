/**
 * Ends the process of a server that has released everything.
 *
 * @module
 */
import { cLibrary } from '../../c-library.ts';

/**
 * Ends this process without waiting for its threads. A thread that makes a key of the simulated
 * processor takes seconds and cannot be interrupted, and `process.exit` would wait for it.
 */
export async function exit(status: number): Promise<never> {
  const { declare } = await cLibrary();
  declare('void _exit(int status)')(status);
  throw new Error('_exit returned');
}
