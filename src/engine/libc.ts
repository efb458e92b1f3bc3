/**
 * Calls of the C library that engines need and Node does not have.
 *
 * @module
 */
import { once } from '../async/once.ts';
import { cLibrary } from '../c-library.ts';

export interface Libc {
  memfd_create(name: string, flags: number): number;
  addSeals(fd: number, seals: number): number;
  lseek(fd: number, offset: number, whence: number): number;
  /** @param mask a bit for each processor, lowest first */
  schedSetaffinity(thread: number, mask: Uint8Array): number;
  errno(): number;
}

const F_ADD_SEALS = 1033;

export const libc = once(async (): Promise<Libc> => {
  const { declare, errno } = await cLibrary();
  const memfdCreate = declare('int memfd_create(const char *name, unsigned int flags)');
  const fcntl = declare('int fcntl(int fd, int cmd, ...)');
  const lseek = declare('int64_t lseek(int fd, int64_t offset, int whence)');
  const setaffinity = declare('int sched_setaffinity(int pid, size_t size, const uint8_t *mask)');
  return {
    memfd_create: (name, flags) => Number(memfdCreate(name, flags)),
    addSeals: (fd, seals) => Number(fcntl(fd, F_ADD_SEALS, 'int', seals)),
    lseek: (fd, offset, whence) => Number(lseek(fd, offset, whence)),
    schedSetaffinity: (thread, mask) => Number(setaffinity(thread, mask.length, mask)),
    errno,
  };
});
