/**
 * Calls of the C library that the networks need and Node does not have.
 *
 * @module
 */
import { once } from '../../async/once.ts';
import { cLibrary } from '../../c-library.ts';

const S_IFCHR = 0o020_000;
const MS_BIND = 0x1000;

export interface Libc {
  setns(fd: number, kind: number): number;
  ioctl(fd: number, request: number, argument: Buffer): number;
  /** A device of characters, at a path. */
  makeDevice(path: string, mode: number, device: number): number;
  /** Mounts what is at one path at another one as well. */
  bind(source: string, target: string): number;
  errno(): number;
}

export const libc = once(async (): Promise<Libc> => {
  const { declare, errno } = await cLibrary();
  const setns = declare('int setns(int fd, int nstype)');
  const ioctl = declare('int ioctl(int fd, unsigned long request, ...)');
  const mknod = declare('int mknod(const char *path, unsigned int mode, unsigned long device)');
  const mount = declare(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, void *data)',
  );
  return {
    setns: (fd, kind) => Number(setns(fd, kind)),
    ioctl: (fd, request, argument) => Number(ioctl(fd, request, 'uint8_t *', argument)),
    makeDevice: (path, mode, device) => Number(mknod(path, S_IFCHR | mode, device)),
    bind: (source, target) => Number(mount(source, target, null, MS_BIND, null)),
    errno,
  };
});
