/**
 * The socket of CRI, whose path the user chose.
 *
 * @module
 */
import { link, lstat, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { CriServer } from '../cri/cri-server.ts';
import type { CriHost } from '../cri/host.ts';
import type { StreamAddress } from '../cri/streaming/stream-address.ts';
import { A3sError } from '../errors.ts';
import { listenPrivately, MAX_SOCKET_PATH } from './http/socket.ts';
import { VERSION } from './version.ts';

export interface ServedCri {
  close(): Promise<void>;
}

/**
 * Refuses a path where no socket can be made, or where something is that is not a dead socket. The
 * socket of another runtime could be named by mistake.
 *
 * @throws A3sError `invalid-argument`
 */
export async function checkCriSocket(path: string): Promise<void> {
  await isDeadSocket(path);
}

/** Whether a dead socket is there. */
async function isDeadSocket(path: string): Promise<boolean> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw refused(path, `a socket's path has at most ${MAX_SOCKET_PATH} bytes`);
  }
  const directory = dirname(path);
  const parent = await unlessMissing(stat(directory)).catch((error: unknown) => {
    throw notServed(path, error);
  });
  if (parent?.isDirectory() !== true) throw refused(path, `${directory} is not a directory`);
  const found = await unlessMissing(lstat(path));
  if (found === undefined) return false;
  if (!found.isSocket()) throw refused(path, 'it is there, and is not a socket');
  if (await isListenedOn(path)) throw refused(path, 'another process listens on it');
  return true;
}

/**
 * Listens. The socket is removed at the end, unless it is another one by then.
 *
 * @throws A3sError `invalid-argument`, also where something came to the path since it was checked
 */
export async function serveCri(
  rt: CriHost,
  path: string,
  streams?: StreamAddress,
): Promise<ServedCri> {
  const cri = await CriServer.open(rt, VERSION, streams);
  try {
    await listenPrivately(cri.server, path, async (made) => {
      if (await isDeadSocket(path)) await rm(path, { force: true });
      // It fails where anything is, and replaces nothing.
      await link(made, path);
    });
  } catch (error) {
    await cri.close();
    throw error instanceof A3sError ? error : notServed(path, error);
  }
  const { ino, dev } = await lstat(path);
  return {
    close: async () => {
      const now = await unlessMissing(lstat(path));
      // It goes before the server: no client finds a socket that is answered no more.
      if (now?.ino === ino && now.dev === dev) await rm(path, { force: true });
      await cri.close();
    },
  };
}

const ANOTHER_PATH = `Choose the path of a new file in a directory that is there, of ${MAX_SOCKET_PATH} bytes at most.`;
const UNWRITABLE = ['EACCES', 'EPERM', 'EROFS'];

function refused(path: string, reason: string, remedy = ANOTHER_PATH): A3sError {
  return new A3sError('invalid-argument', `Cannot serve CRI on ${path}: ${reason}`, { remedy });
}

/** What the system refuses. */
function notServed(path: string, error: unknown): A3sError {
  const reason = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!UNWRITABLE.includes(code)) return refused(path, reason);
  const remedy = `Choose a directory that the user of this server may write to, or let it write to ${dirname(path)}.`;
  return refused(path, reason, remedy);
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A refused connection is the only proof that nobody does. */
async function isListenedOn(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
