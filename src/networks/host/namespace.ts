/**
 * Network namespaces of the host that have a name: a file on which the namespace is mounted.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once as onceEmitted } from 'node:events';
import { closeSync, openSync, readlinkSync, writeFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { once } from '../../async/once.ts';
import { A3sError } from '../../errors.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import { findTool } from '../../jail/tools.ts';
import { libc } from './libc.ts';
import { isMounted } from './mount-table.ts';
import { runProgram } from './run-program.ts';

const CLONE_NEWNET = 0x4000_0000;

// linux/nsfs.h
const NS_GET_USERNS = 0xb701;
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
/** Ends when its input does. */
const WAIT = 'echo made && read -r _';

/** Whose user namespace a network belongs to. */
export interface NetworkOwner {
  /** Root of the user namespace, and without power over any other. */
  readonly root: JailIdentity;
  /**
   * Users of the host whom the user namespace knows by the same ids: rules of packets compare ids
   * as they are there.
   */
  readonly known: readonly number[];
}

/**
 * Makes a namespace in which only the loopback device is up.
 *
 * @param owner absent: the network belongs to the user namespace of this process. Root's server
 * alone gives one.
 */
export async function makeNamespace(path: string, owner?: NetworkOwner): Promise<void> {
  await writeFile(path, '', { mode: 0o600 });
  if (owner === undefined) {
    await runProgram('unshare', [`--net=${path}`, 'ip', 'link', 'set', 'lo', 'up']);
    return;
  }
  const { root } = owner;
  const { bind, errno } = await libc();
  const child = spawn(
    await findTool('setpriv'),
    [
      ...[`--reuid=${root.uid}`, `--regid=${root.gid}`, '--clear-groups', '--', 'unshare'],
      ...['--user', '--net', '--', '/bin/sh', '-c', WAIT],
    ],
    { stdio: 'pipe', env: { PATH } },
  );
  const complaint = text(child.stderr);
  const ended = onceEmitted(child, 'close').then(() => false);
  try {
    const made = onceEmitted(child.stdout, 'data').then(() => true);
    if (!(await Promise.race([made, ended]))) throw notMade((await complaint).trim());
    await mapUsers(`/proc/${child.pid}`, owner);
    if (bind(`/proc/${child.pid}/ns/net`, path) !== 0) throw notMade(`error ${errno()}`);
  } finally {
    child.stdin.on('error', () => undefined).end();
    await ended;
  }
  await runProgram('ip', ['link', 'set', 'lo', 'up'], { namespace: path });
}

/** Says who the users of a new user namespace are on the host. */
async function mapUsers(process: string, { root, known }: NetworkOwner): Promise<void> {
  try {
    await writeFile(`${process}/uid_map`, identities(root.uid, known));
    await writeFile(`${process}/setgroups`, 'deny');
    await writeFile(`${process}/gid_map`, identities(root.gid, []));
  } catch (error) {
    throw notMade(error instanceof Error ? error.message : String(error));
  }
}

/** Lines of user_namespaces(7): the id inside, the id of the host, and how many. */
function identities(root: number, known: readonly number[]): string {
  return [`0 ${root} 1`, ...known.map((id) => `${id} ${id} 1`), ''].join('\n');
}

function notMade(why: string): A3sError {
  return new A3sError('network-failed', `Cannot make a network namespace: ${why}`, {
    remedy: 'See a3s-box info for what this host lacks.',
  });
}

/**
 * The user namespace that a network namespace belongs to.
 *
 * @returns its descriptor, which the caller closes; undefined: it is that of this process
 */
export async function openOwner(path: string): Promise<number | undefined> {
  const { ioctl, errno } = await libc();
  const network = openSync(path, 'r');
  try {
    const owner = ioctl(network, NS_GET_USERNS, Buffer.alloc(0));
    if (owner < 0) throw notMade(`its owner is unknown, error ${errno()}`);
    const isOwn = readlinkSync(`/proc/self/fd/${owner}`) === readlinkSync('/proc/self/ns/user');
    if (!isOwn) return owner;
    closeSync(owner);
    return undefined;
  } finally {
    closeSync(network);
  }
}

/**
 * Removes the name, also while a process that is about to end has the file open. The namespace ends
 * with the last process and descriptor that uses it.
 */
export async function removeNamespace(path: string): Promise<void> {
  // One name may cover another.
  while (isMounted(path)) await runProgram('umount', ['--lazy', path]);
  await rm(path, { force: true });
}

/**
 * Runs synchronous work in a network namespace: devices that it makes, and files below
 * `/proc/sys/net`, are those of the namespace. Only the calling thread changes its namespace, and
 * runs nothing else meanwhile.
 *
 * @throws A3sError `network-failed` where the file is no namespace
 */
export async function inNamespace<T>(path: string, work: () => T): Promise<T> {
  const { setns, errno } = await libc();
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const other = openSync(path, 'r');
    try {
      if (setns(other, CLONE_NEWNET) !== 0) {
        throw new A3sError('network-failed', `Cannot enter ${path}: error ${errno()}`, {
          remedy: 'See a3s-box info for what this host lacks.',
        });
      }
    } finally {
      closeSync(other);
    }
    try {
      return work();
    } finally {
      // Whatever this thread did next would happen in the network of a box.
      if (setns(own, CLONE_NEWNET) !== 0) process.abort();
    }
  } finally {
    closeSync(own);
  }
}

/**
 * Whether a thread of this process can come back from another network namespace: not where the
 * process is the root of a user namespace, and its own network is the host's.
 */
export const canReturn = once(async (): Promise<boolean> => {
  const { setns } = await libc();
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    return setns(own, CLONE_NEWNET) === 0;
  } finally {
    closeSync(own);
  }
});

/** Reads lines of a path and a value. */
const WRITE = 'while read -r path value; do echo "$value" > "$path" || exit 1; done';

/** Writes settings of a network namespace, by their names below `/proc/sys/net`. */
export async function writeSettings(
  path: string,
  settings: Readonly<Partial<Record<'ipv4' | 'ipv6', Readonly<Record<string, number>>>>>,
): Promise<void> {
  const values = Object.entries(settings).flatMap(([family, of]) =>
    Object.entries(of).map(([name, value]) => [`/proc/sys/net/${family}/${name}`, value] as const),
  );
  if (await canReturn()) {
    await inNamespace(path, () => {
      for (const [file, value] of values) writeFileSync(file, String(value));
    });
    return;
  }
  const input = values.map(([file, value]) => `${file} ${value}\n`).join('');
  await runProgram('nsenter', [`--net=${path}`, '--', '/bin/sh', '-c', WRITE], { input });
}
