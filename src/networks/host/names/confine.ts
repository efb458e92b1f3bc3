/**
 * What confines the DNS server of networks, as the command line that comes before its own.
 *
 * It is no jail of `src/jail`: it keeps its process id, to which netavark sends signals, so it has
 * no process namespace. Its filter keeps it from other processes instead.
 *
 * @module
 */
import type { JailHost } from '../../../jail/arguments.ts';
import type { JailFeatures, JailIdentity } from '../../../jail/jail.ts';
import { FILTER } from '../run-program.ts';
import { DEVICES, systemTree } from '../system-tree.ts';

/** Changes of files, none of which it needs but one: the number of its process. */
const CHANGES =
  'write-file,truncate,remove-file,remove-dir,make-reg,make-dir,make-sym,make-fifo,make-sock,make-char,make-block,refer';
/**
 * By prlimit's names: the file with the number of its process, and two sockets for each network
 * besides those of questions under way.
 */
const LIMITS = { core: 0, fsize: 4096, nofile: 16_384, data: 1024 ** 3 };

export interface ConfinedFiles {
  /** It reads what is in it, also what comes later. */
  readonly config: string;
  /** The one file that it writes. */
  readonly pidFile: string;
}

/**
 * @param identity whom it becomes; undefined: this process can be no other user
 * @param filtered whether a filter of system calls comes with it
 * @returns what is run by prlimit
 */
export function confinedNameServer(
  host: Pick<JailHost, 'bwrap' | 'setpriv' | 'roots' | 'hardLimits'>,
  features: Pick<JailFeatures, 'namespaces' | 'landlock'>,
  {
    identity,
    filtered,
    files,
  }: {
    readonly identity: JailIdentity | undefined;
    readonly filtered: boolean;
    readonly files: ConfinedFiles;
  },
): string[] {
  const landlock = features.landlock ? [host.setpriv, ...landlockOf(files), '--'] : [];
  const hasTree = features.namespaces && host.bwrap !== undefined;
  return [
    ...Object.entries(LIMITS).map(
      ([name, most]) => `--${name}=${Math.min(most, host.hardLimits.get(name) ?? most)}`,
    ),
    '--',
    ...[host.setpriv, ...unprivileged(identity), '--'],
    ...(hasTree && host.bwrap !== undefined
      ? [
          host.bwrap,
          ...ownTree(host, files),
          ...(filtered ? ['--seccomp', String(FILTER)] : []),
          '--',
        ]
      : []),
    ...landlock,
  ];
}

function unprivileged(identity: JailIdentity | undefined): string[] {
  return [
    ...(identity === undefined
      ? []
      : [`--reuid=${identity.uid}`, `--regid=${identity.gid}`, '--clear-groups']),
    // Whoever builds a file tree first gives up the bounding set afterwards.
    ...(identity === undefined ? [] : ['--bounding-set=-all']),
    ...['--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all'],
  ];
}

function ownTree(host: Pick<JailHost, 'roots'>, { config, pidFile }: ConfinedFiles): string[] {
  return [
    ...['--unshare-user', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--disable-userns', '--new-session', '--cap-drop', 'ALL', ...systemTree(host)],
    ...['--ro-bind', config, config, '--bind', pidFile, pidFile],
    ...['--remount-ro', '/', '--chdir', '/'],
  ];
}

function landlockOf({ pidFile }: ConfinedFiles): string[] {
  return [
    `--landlock-access=fs:${CHANGES}`,
    ...[...DEVICES, pidFile].map(
      (path) => `--landlock-rule=path-beneath:write-file,truncate:${path}`,
    ),
  ];
}
