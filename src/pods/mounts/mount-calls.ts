/**
 * Calls of the C library that mount descriptors instead of paths (Linux 5.12, glibc 2.36).
 *
 * @module
 */
import { once } from '../../async/once.ts';
import { cLibrary } from '../../c-library.ts';
import { A3sError } from '../../errors.ts';

/** Of each failed call, the reason is thrown as an A3sError `state-unusable`. */
export interface MountCalls {
  /** @returns a descriptor of a copy of the mount, with all below it, that is mounted nowhere */
  cloneTree(source: number): number;
  /** Sets attributes, and that what is mounted in one place is not in another. */
  setAttributes(tree: number, attributes: number, scope: 'mount' | 'all-below'): void;
  moveMount(tree: number, point: number): void;
  /** @returns a descriptor that is read */
  openAt(directory: number, path: string): number;
  /** Enters a mount namespace, whose root becomes the thread's root and working directory. */
  enterNamespace(namespace: number): void;
  changeRoot(directory: number): void;
  changeDirectory(directory: number): void;
}

// linux/mount.h
const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 0x04;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
export const MOUNT_ATTR_RDONLY = 0x1;
export const MOUNT_ATTR_NOSUID = 0x2;
export const MOUNT_ATTR_NODEV = 0x4;
const MS_PRIVATE = 1 << 18;
// linux/fcntl.h
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const O_CLOEXEC = 0o2000000;
// linux/sched.h
const CLONE_FS = 0x200;
const CLONE_NEWNS = 0x2_0000;
/** `struct mount_attr`: what is set, what is cleared, propagation, a user namespace. */
const ATTRIBUTES_BYTES = 32;
const PROPAGATION_OFFSET = 16;

export const mountCalls = once(async (): Promise<MountCalls> => {
  const { declare, errno } = await cLibrary();
  const openTree = declare('int open_tree(int dfd, const char *path, unsigned int flags)');
  const mountSetattr = declare(
    'int mount_setattr(int dfd, const char *path, unsigned int flags, void *attributes, size_t size)',
  );
  const moveMount = declare(
    'int move_mount(int from, const char *from_path, int to, const char *to_path, unsigned int flags)',
  );
  const openAt = declare('int openat(int dfd, const char *path, int flags)');
  const [unshare, setns] = [
    declare('int unshare(int flags)'),
    declare('int setns(int fd, int kind)'),
  ];
  const [fchdir, chroot] = [declare('int fchdir(int fd)'), declare('int chroot(const char *path)')];
  const expectDone = (call: string, result: unknown): number => {
    if (Number(result) >= 0) return Number(result);
    throw new A3sError(
      'state-unusable',
      `Cannot mount a path of the node: ${call}: error ${errno()}`,
      {
        remedy: 'The kernel has to be 5.12 or newer, and to let this server mount.',
      },
    );
  };
  const changeDirectory = (directory: number): void => {
    expectDone('fchdir', fchdir(directory));
  };
  return {
    cloneTree(source) {
      const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
      return expectDone('open_tree', openTree(source, '', flags));
    },
    setAttributes(tree, attributes, scope) {
      const buffer = Buffer.alloc(ATTRIBUTES_BYTES);
      buffer.writeBigUInt64LE(BigInt(attributes));
      buffer.writeBigUInt64LE(BigInt(MS_PRIVATE), PROPAGATION_OFFSET);
      const flags = scope === 'mount' ? AT_EMPTY_PATH : AT_EMPTY_PATH | AT_RECURSIVE;
      expectDone('mount_setattr', mountSetattr(tree, '', flags, buffer, ATTRIBUTES_BYTES));
    },
    moveMount(tree, point) {
      const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
      expectDone('move_mount', moveMount(tree, '', point, '', flags));
    },
    openAt: (directory, path) => expectDone('openat', openAt(directory, path, O_CLOEXEC)),
    enterNamespace(namespace) {
      // A thread that shares root and working directory with others cannot enter.
      expectDone('unshare', unshare(CLONE_FS));
      expectDone('setns', setns(namespace, CLONE_NEWNS));
    },
    changeRoot(directory) {
      changeDirectory(directory);
      expectDone('chroot', chroot('.'));
    },
    changeDirectory,
  };
});
