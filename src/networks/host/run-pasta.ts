/**
 * Starts pasta as confined as the namespace that it serves allows.
 *
 * Root's namespaces belong to a user namespace of {@link PASTA_IDENTITY}: pasta is root in it, and
 * that user elsewhere. Only what is root of the host binds its ports below the first ordinary one,
 * and enters namespaces of an earlier version; it has the same file tree, filter and limits.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import { chown, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { PASTA_IDENTITY } from '../../jail/identity.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import { jailFeatures, jailHost } from '../../jail/spawn.ts';
import { systemCallFilter } from '../../jail/system-calls.ts';
import { findTool } from '../../jail/tools.ts';
import { confinedPasta } from './confine-pasta.ts';
import { ifMissing } from './if-missing.ts';
import { libc } from './libc.ts';
import { type NetworkOwner, openOwner } from './namespace.ts';
import { runProgram } from './run-program.ts';
import { TUN } from './tap.ts';

const FIRST_ORDINARY_PORT = '/proc/sys/net/ipv4/ip_unprivileged_port_start';
/** Of `/dev/net/tun`: major 10, minor 200. */
const TUN_DEVICE = 10 * 256 + 200;
const OTHERS_READ_AND_WRITE = 0o006;
const FILTERED = {
  ...{ memoryFiles: false, confinesItself: true, entersNetworks: true, amongOthers: true },
} as const;

export interface PastaPlace {
  readonly namespace: string;
  readonly pidFile: string;
  /** The ports of the host that it binds. */
  readonly hostPorts: readonly number[];
}

/**
 * The user whose namespaces root's networks belong to. Undefined: they belong to this process's.
 *
 * @param known users of the host whom rules of the network name
 */
export async function ownerOfNetworks(known: readonly number[]): Promise<NetworkOwner | undefined> {
  const { identity, namespaces } = await jailFeatures();
  return identity && namespaces ? { root: PASTA_IDENTITY, known } : undefined;
}

/**
 * Runs until pasta is in the background.
 *
 * @param program what is started; absent: pasta
 * @throws A3sError `network-failed`, `tool-missing`; `state-unusable` where the user requires a
 * stronger jail
 */
export async function runPasta(
  { namespace, pidFile, hostPorts }: PastaPlace,
  args: readonly string[],
  program?: `/${string}`,
): Promise<void> {
  const pasta = program ?? (await findTool('pasta'));
  const [features, host] = [await jailFeatures(), await jailHost()];
  const { bwrap } = host;
  const isConfined = features.namespaces && bwrap !== undefined;
  const filtered = isConfined && process.arch === 'x64';
  // It may write this one file, and make none.
  await rm(pidFile, { force: true });
  await writeFile(pidFile, '', { flag: 'wx', mode: 0o600 });
  const owner = await ownerFor(namespace, hostPorts);
  try {
    const isRoot = owner === undefined && features.identity;
    if (features.allRequired && (isRoot || !filtered)) throw tooWeak(isRoot);
    if (!isConfined) {
      await runProgram(program ?? 'pasta', args);
      return;
    }
    if (owner !== undefined) await chown(pidFile, PASTA_IDENTITY.uid, PASTA_IDENTITY.gid);
    const tun = owner === undefined ? TUN : await tunFor(PASTA_IDENTITY, dirname(namespace));
    // nsenter opens it as root.
    const userNamespace = owner === undefined ? undefined : `/proc/${process.pid}/fd/${owner}`;
    const before = confinedPasta(
      { ...host, bwrap },
      { userNamespace, filtered, namespace, pidFile, tun },
    );
    await runProgram('prlimit', [...before, pasta, ...args], {
      ...(filtered ? { asFilter: true, input: systemCallFilter(FILTERED) } : {}),
    });
  } finally {
    if (owner !== undefined) closeSync(owner);
  }
}

/** The user namespace in which pasta can do its work; undefined: only in that of this process. */
async function ownerFor(namespace: string, ports: readonly number[]): Promise<number | undefined> {
  const owner = await openOwner(namespace);
  if (owner === undefined || ports.length === 0) return owner;
  const first = Number(await readFile(FIRST_ORDINARY_PORT, 'utf8'));
  if (ports.every((port) => port >= first)) return owner;
  closeSync(owner);
  return undefined;
}

/** A device file that the user may open: the host's, or one of the user's own beside networks. */
async function tunFor({ uid, gid }: JailIdentity, directory: string): Promise<string> {
  const { mode } = await stat(TUN);
  if ((mode & OTHERS_READ_AND_WRITE) === OTHERS_READ_AND_WRITE) return TUN;
  const own = join(directory, 'tun');
  if ((await stat(own).catch(ifMissing)) === undefined) {
    const { makeDevice, errno } = await libc();
    if (makeDevice(own, 0o600, TUN_DEVICE) !== 0) throw noTun(`error ${errno()}`);
  }
  try {
    // A server that was killed may have left one that is root's.
    await chown(own, uid, gid);
    await (await open(own, 'r+')).close();
  } catch (cause) {
    throw noTun(cause instanceof Error ? cause.message : String(cause));
  }
  return own;
}

function noTun(why: string): A3sError {
  return new A3sError(
    'network-failed',
    `Cannot start pasta as a user of its own: ${TUN} is root's alone, and another one cannot be made (${why})`,
    { remedy: `Allow everybody ${TUN}, as Debian does: chmod 0666 ${TUN}` },
  );
}

function tooWeak(isRoot: boolean): A3sError {
  return isRoot
    ? new A3sError(
        'state-unusable',
        'Cannot start pasta confined: for a port below the first ordinary one, and in a network of an earlier version, it is root, and A3S_JAIL=require',
        { remedy: 'Publish ports from 1024 on, and start the box again.' },
      )
    : new A3sError(
        'state-unusable',
        'Cannot start pasta confined: the host lacks user namespaces or a processor of x86-64, and A3S_JAIL=require',
        { remedy: 'Install bubblewrap and allow user namespaces. See Jail in a3s-box info.' },
      );
}
