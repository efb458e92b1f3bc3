/**
 * Unix sockets of other programs.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { A3sError } from '../errors.ts';

/** Of Linux: a descriptor that only names the file. Nothing of a socket, or of a pipe, is opened. */
const O_PATH = 0o10000000;

/**
 * Resolves with an open socket, or with undefined while nobody listens there yet.
 *
 * What the directory holds is up to the program, which its guest may have taken over: a link could lead to the socket of
 * another box, which would then be asked, told and ended in place of this one.
 *
 * @throws A3sError `vmm-failed` where there is something else than a socket
 */
export async function openSocket(path: string): Promise<Socket | undefined> {
  const named = open(path);
  if (named === undefined) return undefined;
  try {
    if (!fstatSync(named).isSocket()) {
      throw new A3sError('vmm-failed', `Cannot connect to ${path}: it is no socket`);
    }
    return await connected(`/proc/self/fd/${named}`);
  } finally {
    closeSync(named);
  }
}

/** Not asynchronous: it is a path in memory, and a start waits for it. */
function open(path: string): number | undefined {
  try {
    return openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners();
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve(undefined);
      else reject(error);
    });
  });
}
