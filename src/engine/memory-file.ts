/**
 * Files in memory (`memfd_create`, memfd_create(2)). They have no name in a file system, and the
 * kernel frees them with the last descriptor and the last mapping.
 *
 * @module
 */
import { close, fchmod, fchown, ftruncate, open } from 'node:fs';
import { promisify } from 'node:util';
import { A3sError } from '../errors.ts';
import type { JailIdentity } from '../jail/jail.ts';
import { libc } from './libc.ts';

const closeFd = promisify(close);
const chmodFd = promisify(fchmod);
const chownFd = promisify(fchown);
const truncateFd = promisify(ftruncate);
const openFd = promisify(open);

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** Since Linux 6.3. Some hosts log or refuse memory files that could be executed. */
const MFD_NOEXEC_SEAL = 8;
const EINVAL = 22;

/**
 * No further seals, no change of size, no change of bytes. From then on not even the owner can
 * change the file.
 */
const SEALED = 0x1 | 0x2 | 0x4 | 0x8;

/**
 * Makes an empty file, mode 0600.
 *
 * @param name shown in `/proc/PID/maps`
 * @throws A3sError `out-of-memory`
 */
export async function memoryFile(name: string): Promise<number> {
  const { memfd_create, errno } = await libc();
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
  if (fd < 0 && errno() === EINVAL) fd = memfd_create(name, flags);
  if (fd < 0) {
    throw new A3sError('out-of-memory', `Cannot make a file in memory: error ${errno()}`, {
      remedy: 'Free some memory. The server without templates (A3S_TEMPLATES=off) needs less.',
    });
  }
  try {
    await chmodFd(fd, 0o600);
    return fd;
  } catch (error) {
    await closeFd(fd);
    throw error;
  }
}

/** Lets programs of this identity write the file. */
export async function giveTo(fd: number, identity: JailIdentity): Promise<void> {
  if (process.geteuid?.() === 0) await chownFd(fd, identity.uid, identity.gid);
}

/**
 * Seals the file's content and lets every user read it. Returns a descriptor that can only be read
 * from, which may be passed to others, and closes the given one, which could be written.
 */
export async function seal(fd: number): Promise<number> {
  try {
    const { addSeals, errno } = await libc();
    await chmodFd(fd, 0o444);
    const sealed = await openFd(pathOf(fd), 'r');
    if (addSeals(fd, SEALED) === 0) return sealed;
    const reason = errno();
    await closeFd(sealed);
    throw new A3sError('internal', `Cannot seal a file in memory: error ${reason}`);
  } finally {
    await closeFd(fd);
  }
}

/** A path to the file that is valid as long as the descriptor is open. */
export function pathOf(fd: number): string {
  return `/proc/${process.pid}/fd/${fd}`;
}

export { closeFd as closeDescriptor, truncateFd as setLength };
