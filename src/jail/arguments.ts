/**
 * The command lines that build a jail, as pure data.
 *
 * @module
 */
import type { JailFeatures, JailProgram } from './jail.ts';
import { landlockOptions } from './landlock.ts';

/** Which features a command line builds. */
export type BuiltFeatures = Pick<JailFeatures, 'identity' | 'namespaces' | 'landlock'>;

/** The programs that build jails, and the layout of the host's file tree. */
export interface JailHost {
  readonly nsenter: string;
  readonly prlimit: string;
  readonly setpriv: string;
  /** Undefined where it is not installed; needed for the namespaces. */
  readonly bwrap: string | undefined;
  /**
   * `/bin`, `/lib` and the like: the target where it is a link, undefined where it is a directory.
   */
  readonly roots: ReadonlyMap<string, string | undefined>;
  readonly taskset: string;
  /** The highest limits that this process can set, by prlimit's names. */
  readonly hardLimits: ReadonlyMap<string, number>;
}

/**
 * Visible in a jail besides `/usr`: the dynamic loader's cache and the links behind some libraries.
 */
const CONFIGURATION = ['/etc/ld.so.cache', '/etc/alternatives'];
/** Not `/dev/zero`: a mapping of it that processes share is memory that no limit counts. */
const DEVICES = ['/dev/null', '/dev/urandom'];

/** The whole environment of a program in a jail. */
export function jailEnvironment(program: JailProgram): Record<string, string> {
  const temporary = program.temporaryDirectory;
  return {
    PATH: '/usr/sbin:/usr/bin',
    LC_ALL: 'C.UTF-8',
    ...(temporary === undefined ? {} : { TMPDIR: temporary }),
    ...program.environment,
  };
}

/** @returns the program to start and its arguments */
export function jailCommand(
  host: JailHost,
  features: BuiltFeatures,
  program: JailProgram,
): readonly [string, ...string[]] {
  const hasNamespaces =
    features.namespaces && host.bwrap !== undefined && program.lowPorts !== true;
  const landlock = features.landlock ? landlockOptions(program, DEVICES) : [];
  return [
    // The first of these programs, since it takes root's capabilities.
    ...(program.networkNamespace === undefined
      ? ([host.prlimit] as const)
      : ([host.nsenter, `--net=${program.networkNamespace}`, '--', host.prlimit] as const)),
    ...limits(host, features, program),
    '--',
    ...(program.processor === undefined
      ? []
      : [host.taskset, '--cpu-list', String(program.processor)]),
    host.setpriv,
    ...privileges(features, program, hasNamespaces),
    // It would keep bwrap from mounting.
    ...(hasNamespaces ? [] : landlock),
    '--',
    ...(hasNamespaces && host.bwrap !== undefined
      ? [
          host.bwrap,
          ...namespaces(host, features, program),
          '--',
          ...processLimit(host, features, program),
          ...(landlock.length === 0 ? [] : [host.setpriv, ...landlock, '--']),
        ]
      : []),
    program.path,
    ...program.args,
  ];
}

/**
 * The kernel counts processes by user and user namespace. Those of an ordinary user, who has one
 * user id for all, are counted in the namespace of the jail: the limit is set there.
 */
function limitsInside(features: BuiltFeatures, { lowPorts }: JailProgram): boolean {
  return features.namespaces && !features.identity && lowPorts !== true;
}

function processLimit(host: JailHost, features: BuiltFeatures, program: JailProgram): string[] {
  const { processes } = program.limits;
  if (processes === undefined || !limitsInside(features, program)) return [];
  return [host.prlimit, ...bound(host, 'nproc', processes), '--'];
}

function bound({ hardLimits }: JailHost, name: string, value: number | undefined): string[] {
  if (value === undefined) return [];
  return [`--${name}=${Math.min(value, hardLimits.get(name) ?? Number.POSITIVE_INFINITY)}`];
}

function limits(host: JailHost, features: BuiltFeatures, program: JailProgram): string[] {
  const { limits } = program;
  const set = (name: string, value: number | undefined): string[] => bound(host, name, value);
  const processes = limitsInside(features, program) ? undefined : limits.processes;
  return [
    ...set('core', 0),
    ...set('nofile', limits.openFiles),
    ...set('fsize', limits.fileBytes),
    // The soft limit alone.
    ...set('fsize', limits.raisableFileBytes).map((option) => `${option}:`),
    ...set('cpu', limits.cpuSeconds),
    ...set('as', limits.addressSpaceBytes),
    ...set('data', limits.dataBytes),
    ...set('nproc', processes),
  ];
}

/**
 * The capabilities that bwrap needs of root to build the namespaces. It gives them up before the
 * program starts.
 */
const BUILDER_CAPABILITIES = ['sys_admin', 'net_admin', 'setpcap'];

function privileges(
  features: BuiltFeatures,
  program: JailProgram,
  hasNamespaces: boolean,
): string[] {
  const { uid, gid } = program.identity;
  const kept =
    program.rootCapabilities === undefined
      ? program.lowPorts === true
        ? ['net_bind_service']
        : []
      : [...new Set([...program.rootCapabilities, ...BUILDER_CAPABILITIES])];
  const set = ['-all', ...kept.map((name) => `+${name}`)].join(',');
  // An ordinary user id keeps only ambient capabilities across the start of a program.
  const ambient = program.lowPorts === true ? set : '-all';
  return [
    ...(features.identity && program.rootCapabilities === undefined
      ? [`--reuid=${uid}`, `--regid=${gid}`]
      : []),
    ...(features.identity ? [groups(program), `--bounding-set=${set}`] : []),
    `--inh-caps=${ambient}`,
    `--ambient-caps=${ambient}`,
    '--no-new-privs',
    // bwrap sees to that itself, right before it lets its child go on. If it was killed any
    // earlier, that child would wait for it for ever.
    ...(program.outlives || hasNamespaces ? [] : ['--pdeathsig=KILL']),
  ];
}

/** An ordinary user's program has the groups of its user: only root can change them. */
function groups({ group, devices = [] }: JailProgram): string {
  const all = [group, ...devices.map((device) => device.group)].filter((id) => id !== undefined);
  return all.length === 0 ? '--clear-groups' : `--groups=${[...new Set(all)].join(',')}`;
}

function namespaces(host: JailHost, features: BuiltFeatures, program: JailProgram): string[] {
  return [
    ...isolation(features, program),
    '--new-session',
    // No process in a jail has children to reap, so the program can be the first process itself.
    '--as-pid-1',
    '--cap-drop',
    'ALL',
    ...(program.rootCapabilities ?? []).flatMap((name) => [
      '--cap-add',
      `CAP_${name.toUpperCase()}`,
    ]),
    ...(program.outlives ? [] : ['--die-with-parent']),
    ...(program.systemCalls === undefined ? [] : ['--seccomp', String(program.systemCalls)]),
    '--ro-bind',
    '/usr',
    '/usr',
    ...[...host.roots].flatMap(([path, target]) =>
      target === undefined ? ['--ro-bind', path, path] : ['--symlink', target, path],
    ),
    ...CONFIGURATION.flatMap((path) => ['--ro-bind-try', path, path]),
    ...DEVICES.flatMap((path) => ['--dev-bind', path, path]),
    ...(program.devices ?? []).flatMap(({ path }) => ['--dev-bind-try', path, path]),
    ...(program.confinesItself === true ? ['--dir', '/tmp'] : []),
    '--proc',
    '/proc',
    ...program.readable.flatMap((path) => ['--ro-bind', path, path]),
    ...[program.writable, program.writableFiles ?? [], program.sockets ?? []]
      .flat()
      .flatMap((path) => ['--bind', path, path]),
    ...(program.binds ?? []).flatMap(({ source, target, readonly }) => [
      `${readonly ? '--ro-bind' : '--bind'}${typeof source === 'number' ? '-fd' : ''}`,
      String(source),
      target,
    ]),
    // Root without a user namespace of its own could write the host's settings there. A program
    // that builds namespaces maps its user there, and is no root.
    ...(program.confinesItself === true ? [] : ['--remount-ro', '/proc']),
    '--remount-ro',
    '/',
    '--chdir',
    '/',
  ];
}

function isolation(features: BuiltFeatures, program: JailProgram): string[] {
  const network = program.network ? ['--share-net'] : [];
  const asRoot = program.rootCapabilities !== undefined;
  if (asRoot && features.identity) {
    // Inside a user namespace, root's capabilities would not apply to the host's files.
    const own = ['--unshare-ipc', '--unshare-pid', '--unshare-uts', '--unshare-cgroup-try'];
    return program.network ? own : [...own, '--unshare-net'];
  }
  return [
    '--unshare-user',
    '--unshare-all',
    // The program cannot make namespaces of its own: they are the larger part of the kernel's
    // attack surface for a program without rights.
    ...(program.confinesItself === true ? [] : ['--disable-userns']),
    ...(asRoot ? ['--uid', '0', '--gid', '0'] : []),
    ...network,
  ];
}
