/**
 * Works in the mount namespace of another process.
 *
 * @module
 */
import { closeSync, constants, openSync } from 'node:fs';
import type { MountCalls } from './mount-calls.ts';

/** A flag of open(2) for what is named, and neither read nor written. Node has no name for it. */
export const O_PATH = 0o10000000;
const DIRECTORY = O_PATH | constants.O_DIRECTORY;

/**
 * Runs synchronous work in a mount namespace: paths lead where they do there. Only the calling
 * thread changes its namespace, and runs nothing else meanwhile. From then on it has a working
 * directory and a umask apart from other threads.
 *
 * @param namespace a descriptor of it
 * @throws A3sError `state-unusable` where this process cannot enter it
 */
export function inMountNamespace<T>(calls: MountCalls, namespace: number, work: () => T): T {
  const held: number[] = [];
  const hold = (path: string, flags: number): number => {
    const fd = openSync(path, flags);
    held.push(fd);
    return fd;
  };
  try {
    const own = hold('/proc/thread-self/ns/mnt', constants.O_RDONLY);
    const [root, directory] = [hold('/', DIRECTORY), hold('.', DIRECTORY)];
    const leave = (): void => {
      calls.enterNamespace(own);
      calls.changeRoot(root);
      calls.changeDirectory(directory);
    };
    // Where this fails, the thread could not come back either.
    leave();
    calls.enterNamespace(namespace);
    try {
      return work();
    } finally {
      returnOrEnd(leave);
    }
  } finally {
    for (const fd of held) closeSync(fd);
  }
}

/** Whatever this thread did next would happen in the file tree of a jail. */
function returnOrEnd(leave: () => void): void {
  try {
    leave();
  } catch {
    process.abort();
  }
}
