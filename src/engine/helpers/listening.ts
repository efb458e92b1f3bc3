/**
 * Tells from outside whether a program listens on its socket yet.
 *
 * The existence of the file is not enough: passt binds it, confines itself, and only then listens.
 * Connecting is not possible: passt and virtiofsd serve only their first connection.
 *
 * @module
 */
import { lstat, readFile } from 'node:fs/promises';
import { isJailUid } from '../../jail/identity.ts';
import { findProcesses } from '../processes/processes.ts';

/** `__SO_ACCEPTCON`, in the flags column of `/proc/net/unix`. */
const ACCEPTS = 0x10000;

/** For a program in this process's network namespace. */
export async function listensHere(socket: string): Promise<true | undefined> {
  return listensIn(await readFile('/proc/self/net/unix', 'utf8'), socket) || undefined;
}

/**
 * For a program in this process's network namespace that knows its socket by another name than this
 * process does. Any process can bind a socket by that name in its own file tree, so the socket must
 * exist at its real place too.
 *
 * @param socket as the program names it
 * @param file where it is
 * @param uid the user that the program runs as
 */
export async function listensRenamed(
  socket: string,
  file: string,
  uid: number,
): Promise<true | undefined> {
  const found = await lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined || !found.isSocket() || found.uid !== uid) return undefined;
  return await listensHere(socket);
}

/**
 * For a program in a network namespace of its own, found through the directory that it works in.
 */
export async function listensInJail(socket: string, runtimeDir: string): Promise<true | undefined> {
  for (const { pid, args } of findProcesses(runtimeDir, isJailUid)) {
    if (!args.some((arg) => arg.includes(socket))) continue;
    // The process may end between the two reads; then it does not listen.
    const table = await readFile(`/proc/${pid}/net/unix`, 'utf8').catch(() => '');
    if (listensIn(table, socket)) return true;
  }
  return undefined;
}

/** @param table of `/proc/net/unix` */
export function listensIn(table: string, socket: string): boolean {
  return table.split('\n').some((line) => {
    const [, flags, path] = /^\S+ \S+ \S+ ([0-9A-F]+) \S+ \S+ +\d+ (.+)$/.exec(line) ?? [];
    return path === socket && (Number.parseInt(flags ?? '0', 16) & ACCEPTS) !== 0;
  });
}
