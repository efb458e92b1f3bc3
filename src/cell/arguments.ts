/**
 * The command lines that build a cell's walls, as pure data.
 *
 * @module
 */
import type { CellProgram, CellWalls } from './cell.ts';

/** Which walls a command line builds. */
export type BuiltWalls = Pick<CellWalls, 'identity' | 'namespaces'>;

/** Where the wall builders are, and what the host's file tree looks like. */
export interface CellHost {
  readonly prlimit: string;
  readonly setpriv: string;
  /** Undefined where it is not installed; needed for the namespace wall. */
  readonly bwrap: string | undefined;
  /** `/bin`, `/lib` and the like: the target where it is a link, undefined where it is a directory. */
  readonly roots: ReadonlyMap<string, string | undefined>;
  /** This process's own hard limits, by prlimit's names: nothing can be raised above them. */
  readonly hardLimits: ReadonlyMap<string, number>;
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
    ...program.environment,
  };
}

/** @returns the program to start and its arguments */
export function cellCommand(
  host: CellHost,
  walls: BuiltWalls,
  program: CellProgram,
): readonly [string, ...string[]] {
  return [
    host.prlimit,
    ...limits(host, program),
    '--',
    host.setpriv,
    ...privileges(walls, program),
    '--',
    ...(walls.namespaces && host.bwrap !== undefined && program.lowPorts !== true
      ? [host.bwrap, ...namespaces(host, walls, program), '--']
      : []),
    program.path,
    ...program.args,
  ];
}

function limits({ hardLimits }: CellHost, { limits }: CellProgram): string[] {
  const bound = (name: string, value: number | undefined): string[] =>
    value === undefined
      ? []
      : [`--${name}=${Math.min(value, hardLimits.get(name) ?? Number.POSITIVE_INFINITY)}`];
  return [
    ...bound('core', 0),
    ...bound('nofile', limits.openFiles),
    ...bound('fsize', limits.fileBytes),
    ...bound('cpu', limits.cpuSeconds),
    ...bound('as', limits.addressSpaceBytes),
  ];
}

/** What bwrap itself needs of root to build the namespace wall; it gives them up before the program starts. */
const BUILDER_CAPABILITIES = ['sys_admin', 'net_admin', 'setpcap'];

function privileges(walls: BuiltWalls, program: CellProgram): string[] {
  const { uid, gid } = program.identity;
  const kept =
    program.rootCapabilities === undefined
      ? program.lowPorts === true
        ? ['net_bind_service']
        : []
      : [...new Set([...program.rootCapabilities, ...BUILDER_CAPABILITIES])];
  const set = ['-all', ...kept.map((name) => `+${name}`)].join(',');
  // Ambient capabilities are what an ordinary user id keeps across the start of a program.
  const ambient = program.lowPorts === true ? set : '-all';
  return [
    ...(walls.identity && program.rootCapabilities === undefined
      ? [`--reuid=${uid}`, `--regid=${gid}`]
      : []),
    ...(walls.identity
      ? [
          program.group === undefined ? '--clear-groups' : `--groups=${program.group}`,
          `--bounding-set=${set}`,
        ]
      : []),
    `--inh-caps=${ambient}`,
    `--ambient-caps=${ambient}`,
    '--no-new-privs',
    ...(program.outlives ? [] : ['--pdeathsig=KILL']),
  ];
}

function namespaces(host: CellHost, walls: BuiltWalls, program: CellProgram): string[] {
  return [
    ...isolation(walls, program),
    '--new-session',
    // Nothing in a cell has children to reap, so the program can be the first process itself.
    '--as-pid-1',
    '--cap-drop',
    'ALL',
    ...(program.rootCapabilities ?? []).flatMap((name) => [
      '--cap-add',
      `CAP_${name.toUpperCase()}`,
    ]),
    ...(program.outlives ? [] : ['--die-with-parent']),
    '--ro-bind',
    '/usr',
    '/usr',
    ...[...host.roots].flatMap(([path, target]) =>
      target === undefined ? ['--ro-bind', path, path] : ['--symlink', target, path],
    ),
    ...CONFIGURATION.flatMap((path) => ['--ro-bind-try', path, path]),
    ...DEVICES.flatMap((path) => ['--dev-bind', path, path]),
    ...(program.confinesItself === true ? ['--dir', '/tmp'] : []),
    '--proc',
    '/proc',
    ...program.readable.flatMap((path) => ['--ro-bind', path, path]),
    ...program.writable.flatMap((path) => ['--bind', path, path]),
    ...(program.binds ?? []).flatMap(({ source, target, readonly }) => [
      readonly ? '--ro-bind' : '--bind',
      source,
      target,
    ]),
    '--remount-ro',
    '/',
    '--chdir',
    '/',
  ];
}

function isolation(walls: BuiltWalls, program: CellProgram): string[] {
  const network = program.network ? ['--share-net'] : [];
  const asRoot = program.rootCapabilities !== undefined;
  if (asRoot && walls.identity) {
    // Real root's capabilities over the host's files would not reach out of a user namespace.
    const own = ['--unshare-ipc', '--unshare-pid', '--unshare-uts', '--unshare-cgroup-try'];
    return program.network ? own : [...own, '--unshare-net'];
  }
  return [
    '--unshare-user',
    '--unshare-all',
    // No namespaces of its own making: they are the larger part of the kernel's surface for a program without rights.
    ...(program.confinesItself === true ? [] : ['--disable-userns']),
    ...(asRoot ? ['--uid', '0', '--gid', '0'] : []),
    ...network,
  ];
}
