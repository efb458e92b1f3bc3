/**
 * What confines pasta before it confines itself, as the command line that comes before its own.
 *
 * It is no jail of `src/jail`: it enters the namespace that it serves, and it writes its process
 * id, so it has no process namespace until it makes one. It mounts an empty file tree, which
 * Landlock would keep it from.
 *
 * @module
 */
import type { JailHost } from '../../jail/arguments.ts';
import { FILTER } from './run-program.ts';
import { systemTree } from './system-tree.ts';

/** What it asks for: to enter and set up its network, to build namespaces, to bind ports. */
const CAPABILITIES = ['sys_admin', 'net_admin', 'net_bind_service', 'sys_ptrace'];
/** bwrap gives it up before pasta starts. */
const OF_BUILDER = 'setpcap';
/**
 * By prlimit's names: the file with the number of its process, and tables and buffers. Connections
 * are not bounded here: all boxes of a home share one pasta.
 */
const LIMITS = { core: 0, fsize: 4096, data: 1024 ** 3, nproc: 4096 };

export interface ConfinedPasta {
  /** A file of the user namespace in which it is root. Undefined: that of this process. */
  readonly userNamespace: string | undefined;
  readonly filtered: boolean;
  /** That of the network which it serves. */
  readonly namespace: string;
  /** The one file that it writes. */
  readonly pidFile: string;
  /** What it has for `/dev/net/tun`. */
  readonly tun: string;
}

/** @returns what is run by prlimit */
export function confinedPasta(
  host: Pick<JailHost, 'nsenter' | 'setpriv' | 'roots' | 'hardLimits'> & { readonly bwrap: string },
  { userNamespace, filtered, namespace, pidFile, tun }: ConfinedPasta,
): string[] {
  const bounding = [...CAPABILITIES, OF_BUILDER].map((name) => `,+${name}`).join('');
  return [
    ...Object.entries(LIMITS).map(
      ([name, most]) => `--${name}=${Math.min(most, host.hardLimits.get(name) ?? most)}`,
    ),
    '--',
    ...(userNamespace === undefined ? [] : [host.nsenter, `--user=${userNamespace}`, '--']),
    ...[host.setpriv, `--bounding-set=-all${bounding}`, '--inh-caps=-all', '--ambient-caps=-all'],
    ...['--no-new-privs', '--', host.bwrap],
    ...['--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try', '--new-session'],
    ...['--cap-drop', 'ALL'],
    ...CAPABILITIES.flatMap((name) => ['--cap-add', `CAP_${name.toUpperCase()}`]),
    ...(filtered ? ['--seccomp', String(FILTER)] : []),
    ...[...systemTree(host), '--dev-bind', tun, '/dev/net/tun', '--dir', '/tmp'],
    ...['--proc', '/proc', '--remount-ro', '/proc'],
    ...['--ro-bind', namespace, namespace, '--bind', pidFile, pidFile],
    ...['--remount-ro', '/', '--chdir', '/', '--'],
  ];
}
