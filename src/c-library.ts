/**
 * Calls of the C library that Node does not have. Each module declares those that it needs.
 *
 * @module
 */
import { once } from './async/once.ts';

/** Loading takes 13 ms and 4 MB, so it happens at the first use. */
export const cLibrary = once(async () => {
  const { default: koffi } = await import('koffi');
  const library = koffi.load('libc.so.6');
  return {
    /** @param prototype as in C: `int close(int fd)` */
    declare: (prototype: string) => library.func(prototype),
    struct: koffi.struct,
    /** The reason why the last call failed. */
    errno: () => koffi.errno(),
  };
});
