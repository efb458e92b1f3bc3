/**
 * Calls of the C library that the networks need and Node does not have.
 *
 * @module
 */
import { once } from '../../async/once.ts';
import { cLibrary } from '../../c-library.ts';

export interface Libc {
  setns(fd: number, kind: number): number;
  ioctl(fd: number, request: number, argument: Buffer): number;
  errno(): number;
}

export const libc = once(async (): Promise<Libc> => {
  const { declare, errno } = await cLibrary();
  const setns = declare('int setns(int fd, int nstype)');
  const ioctl = declare('int ioctl(int fd, unsigned long request, ...)');
  return {
    setns: (fd, kind) => Number(setns(fd, kind)),
    ioctl: (fd, request, argument) => Number(ioctl(fd, request, 'uint8_t *', argument)),
    errno,
  };
});
