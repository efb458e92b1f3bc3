/**
 * Landlock for programs in jails: which files they make and change.
 *
 * A mount namespace already decides what a program sees. This decides what it does there: a program
 * that makes sockets in a directory cannot fill the directory's file system with files. It also
 * holds where there are no namespaces. setpriv(1) installs it.
 *
 * @module
 */
import type { JailProgram } from './jail.ts';

const CHANGES = ['write-file', 'truncate'];
const REMOVALS = ['remove-file', 'remove-dir'];
const KINDS = ['make-reg', 'make-dir', 'make-sym', 'make-fifo', 'make-sock'];
/** `refer` is a rename or link between directories. */
const ALL = [...CHANGES, ...REMOVALS, ...KINDS, 'make-char', 'make-block', 'refer'];
const OF_FILE = CHANGES.join();
const OF_DIRECTORY = [...CHANGES, ...REMOVALS, ...KINDS, 'refer'].join();
/** A program removes its own sockets, and others that are there. */
const OF_SOCKETS = 'make-sock,remove-file';

/**
 * The options of setpriv; none for programs that have no Landlock:
 *  - passt builds namespaces for itself, and Landlock would keep it from mounting. It leaves its
 *    file tree before it reads anything of a guest.
 *  - virtiofsd makes and changes all kinds of files below the one directory that it is given.
 *
 * @param devices those that every jail has
 */
export function landlockOptions(program: JailProgram, devices: readonly string[]): string[] {
  if (program.confinesItself === true || program.rootCapabilities !== undefined) return [];
  const rule = (rights: string) => (path: string) =>
    `--landlock-rule=path-beneath:${rights}:${path}`;
  const targets = (program.binds ?? []).filter(({ readonly }) => !readonly);
  const files = [
    ...devices,
    ...(program.devices ?? []).map(({ path }) => path),
    ...(program.writableFiles ?? []),
    ...(program.reopened ?? []).map((fd) => `/proc/self/fd/${fd}`),
    ...targets.filter(({ file }) => file === true).map(({ target }) => target),
  ];
  const directories = [
    ...program.writable,
    ...targets.filter(({ file }) => file !== true).map(({ target }) => target),
  ];
  return [
    `--landlock-access=fs:${ALL.join()}`,
    ...files.map(rule(OF_FILE)),
    ...directories.map(rule(OF_DIRECTORY)),
    ...(program.sockets ?? []).map(rule(OF_SOCKETS)),
  ];
}
