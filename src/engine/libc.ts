/**
 * Calls of the C library that engines need and Node does not have.
 *
 * @module
 */
export interface Libc {
  memfd_create(name: string, flags: number): number;
  addSeals(fd: number, seals: number): number;
  lseek(fd: number, offset: number, whence: number): number;
  /** @param mask a bit for each processor, lowest first */
  schedSetaffinity(thread: number, mask: Uint8Array): number;
  errno(): number;
}

let loaded: Promise<Libc> | undefined;

/** Loading takes some milliseconds and 4 MB, so it happens at the first use. */
export function libc(): Promise<Libc> {
  loaded ??= load();
  return loaded;
}

const F_ADD_SEALS = 1033;

async function load(): Promise<Libc> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load('libc.so.6');
  const memfdCreate = library.func('int memfd_create(const char *name, unsigned int flags)');
  const fcntl = library.func('int fcntl(int fd, int cmd, ...)');
  const lseek = library.func('int64_t lseek(int fd, int64_t offset, int whence)');
  const setaffinity = library.func(
    'int sched_setaffinity(int pid, size_t size, const uint8_t *mask)',
  );
  return {
    memfd_create: (name, flags) => Number(memfdCreate(name, flags)),
    addSeals: (fd, seals) => Number(fcntl(fd, F_ADD_SEALS, 'int', seals)),
    lseek: (fd, offset, whence) => Number(lseek(fd, offset, whence)),
    schedSetaffinity: (thread, mask) => Number(setaffinity(thread, mask.length, mask)),
    errno: () => koffi.errno(),
  };
}
