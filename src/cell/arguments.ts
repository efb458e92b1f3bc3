/**
 * The command lines that build a cell's walls, as pure data.
 *
 * @module
 */
import type { CellProgram, CellWalls } from './cell.ts';

/** Where the wall builders are, and what the host's file tree looks like. */
export interface CellHost {
  readonly prlimit: string;
  readonly setpriv: string;
  /** Undefined where it is not installed; needed for the namespace wall. */
  readonly bwrap: string | undefined;
  /** `/bin`, `/lib` and the like: the target where it is a link, undefined where it is a directory. */
  readonly roots: ReadonlyMap<string, string | undefined>;
}

/** Reachable in a cell besides `/usr`: the dynamic loader's cache and the links behind some libraries. */
const CONFIGURATION = ['/etc/ld.so.cache', '/etc/alternatives'];
const DEVICES = ['/dev/null', '/dev/zero', '/dev/urandom'];

/** Everything a program in a cell finds in its environment. */
export function cellEnvironment(program: CellProgram): Record<string, string> {
  const temporary = program.temporaryDirectory;
  return {
    PATH: '/usr/sbin:/usr/bin',
    LC_ALL: 'C.UTF-8',
    ...(temporary === undefined ? {} : { TMPDIR: temporary }),
  };
}

/** @returns the program to start and its arguments */
export function cellCommand(
  host: CellHost,
  walls: CellWalls,
  program: CellProgram,
): readonly [string, ...string[]] {
  return [
    host.prlimit,
    ...limits(program),
    '--',
    host.setpriv,
    ...privileges(walls, program),
    '--',
    ...(walls.namespaces && host.bwrap !== undefined
      ? [host.bwrap, ...namespaces(host, program), '--']
      : []),
    program.path,
    ...program.args,
  ];
}

function limits({ limits }: CellProgram): string[] {
  const bound = (name: string, value: number | undefined): string[] =>
    value === undefined ? [] : [`--${name}=${value}`];
  return [
    ...bound('core', 0),
    ...bound('nofile', limits.openFiles),
    ...bound('fsize', limits.fileBytes),
    ...bound('cpu', limits.cpuSeconds),
    ...bound('as', limits.addressSpaceBytes),
  ];
}

function privileges(walls: CellWalls, program: CellProgram): string[] {
  const { uid, gid } = program.identity;
  return [
    ...(walls.identity
      ? [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--bounding-set=-all']
      : []),
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--no-new-privs',
    ...(program.outlives ? [] : ['--pdeathsig=KILL']),
  ];
}

function namespaces(host: CellHost, program: CellProgram): string[] {
  return [
    '--unshare-user',
    '--unshare-all',
    // No namespaces of its own making: they are the larger part of the kernel's surface for a program without rights.
    '--disable-userns',
    ...(program.network ? ['--share-net'] : []),
    '--new-session',
    // Nothing in a cell has children to reap, so the program can be the first process itself.
    '--as-pid-1',
    '--cap-drop',
    'ALL',
    ...(program.outlives ? [] : ['--die-with-parent']),
    '--ro-bind',
    '/usr',
    '/usr',
    ...[...host.roots].flatMap(([path, target]) =>
      target === undefined ? ['--ro-bind', path, path] : ['--symlink', target, path],
    ),
    ...CONFIGURATION.flatMap((path) => ['--ro-bind-try', path, path]),
    ...DEVICES.flatMap((path) => ['--dev-bind', path, path]),
    '--proc',
    '/proc',
    ...program.readable.flatMap((path) => ['--ro-bind', path, path]),
    ...program.writable.flatMap((path) => ['--bind', path, path]),
    '--remount-ro',
    '/',
    '--chdir',
    '/',
  ];
}
