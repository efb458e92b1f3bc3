/**
 * Connects to Unix sockets of other programs.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { A3sError } from '../errors.ts';

/**
 * `O_PATH` of Linux: a descriptor that only names the file. Neither a socket nor a pipe is opened
 * by it.
 */
const O_PATH = 0o10000000;

/**
 * Resolves with an open socket, or with undefined while no program listens there yet.
 *
 * The program controls the directory, and its guest may have taken it over. A link there could lead
 * to the socket of another box, and the server would then query, command and end that box instead.
 *
 * @throws A3sError `vmm-failed` where the path is not a socket
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

/** Synchronous: the path is in memory, and a start waits for it. */
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
