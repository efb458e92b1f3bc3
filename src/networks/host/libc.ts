/**
 * Calls of the C library that the networks need and Node does not have.
 *
 * @module
 */
export interface Libc {
  setns(fd: number, kind: number): number;
  ioctl(fd: number, request: number, argument: Buffer): number;
  errno(): number;
}

let loaded: Promise<Libc> | undefined;

/** Loading takes some milliseconds and 4 MB, so it happens at the first use. */
export function libc(): Promise<Libc> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Libc> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load('libc.so.6');
  const setns = library.func('int setns(int fd, int nstype)');
  const ioctl = library.func('int ioctl(int fd, unsigned long request, ...)');
  return {
    setns: (fd, kind) => Number(setns(fd, kind)),
    ioctl: (fd, request, argument) => Number(ioctl(fd, request, 'uint8_t *', argument)),
    errno: () => koffi.errno(),
  };
}
