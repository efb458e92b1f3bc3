/**
 * The DNS server of all networks of a home, aardvark-dns. netavark would start it as root and with
 * all capabilities, and not start it again when it has ended.
 *
 * It reads what guests send: it runs as a user of its own, where there is another one, without
 * capabilities, in a file tree of its own and behind a filter of system calls. The holder lets any
 * user listen on port 53.
 *
 * @module
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../../../errors.ts';
import type { JailIdentity } from '../../../jail/jail.ts';
import { jailFeatures, jailHost } from '../../../jail/spawn.ts';
import { systemCallFilter } from '../../../jail/system-calls.ts';
import { findTool } from '../../../jail/tools.ts';
import { killProcess, statOf, untilGone, userOf } from '../../../processes/fence.ts';
import type { NetavarkPlace } from '../netavark.ts';
import { runProgram } from '../run-program.ts';
import { confinedNameServer } from './confine.ts';
import { forgetNames } from './forget-names.ts';

const PORT = 53;
const END_MS = 10_000;
const PID_FILE = 'aardvark.pid';
/** Longer than any number of a process, in bytes. */
const PID_LENGTH = 32;
/** It has no process namespace of its own. */
const FILTERED = { memoryFiles: false, amongOthers: true } as const;

/** The setting of the holder, below `/proc/sys/net/ipv4`, without which only root may listen. */
export const NAME_SERVER_SETTING = { ip_unprivileged_port_start: PORT } as const;

export interface NameServerPlace extends NetavarkPlace {
  /** Whom it runs as. Undefined: this process can be no other user. */
  readonly identity: JailIdentity | undefined;
}

/**
 * Makes the directory where netavark writes the names. The server reads it and makes nothing in it:
 * netavark opens files there as root, and would follow symbolic links of the server's.
 */
export async function prepareNameServer(place: NameServerPlace): Promise<void> {
  const config = configOf(place);
  await mkdir(config, { recursive: true });
  if (place.identity !== undefined) await chown(config, 0, place.identity.gid);
  // Whatever the umask of this process.
  await chmod(config, 0o750);
}

/**
 * Removes the number of a server that has ended, or of what never was the server. netavark sends a
 * signal to the process that the file names.
 */
export async function forgetEndedServer(place: NameServerPlace): Promise<void> {
  if (processOf(place) !== undefined) return;
  const file = join(configOf(place), PID_FILE);
  const last = statOf(pidIn(file));
  if (last?.ending === true && isOfUser(last.pid, place)) {
    // It has its port yet, which the next one needs. Of one that was taken over, the first thread
    // alone may have ended.
    killProcess(last);
    await untilGone([last], AbortSignal.timeout(END_MS));
  }
  await rm(file, { force: true });
}

/** Starts it where it does not run. It reads the names that netavark has written. */
export async function ensureNameServer(place: NameServerPlace): Promise<void> {
  const config = configOf(place);
  const { identity } = place;
  if (processOf(place) !== undefined) return;
  // It may write this one file, and make none.
  const file = join(config, PID_FILE);
  await forgetEndedServer(place);
  await writeFile(file, '', { flag: 'wx', mode: 0o600 });
  if (identity !== undefined) await chown(file, identity.uid, identity.gid);
  const server = await findTool('aardvark-dns');
  const run = [server, '--config', config, '-p', String(PORT), 'run'];
  const features = await jailFeatures();
  const filtered = features.namespaces && process.arch === 'x64';
  // Without another user, nothing else would confine it.
  const mayLackTree = identity !== undefined || features.weakAccepted;
  const isWhole = filtered && features.landlock;
  if (features.allRequired ? !isWhole : !features.namespaces && !mayLackTree) throw tooWeak();
  const before = confinedNameServer(await jailHost(), features, {
    ...{ identity, filtered, files: { config, pidFile: file } },
  });
  await runProgram('prlimit', [...before, ...run], {
    namespace: place.holder,
    ...(filtered ? { asFilter: true, input: systemCallFilter(FILTERED) } : {}),
  });
}

/** Removes the names that netavark has left of a box in a network, and tells the server so. */
export async function forgetBox(
  place: NameServerPlace,
  of: { readonly box: string; readonly network: string },
): Promise<void> {
  const directories = {
    directory: configOf(place),
    temporaryDirectory: join(place.directory, 'netavark'),
  };
  if (await forgetNames(directories, of)) signalServer(place, 'SIGHUP');
}

/** Ends it, if it runs. It ends by itself with the last name, which a crash may have left. */
export function endNameServer(place: NameServerPlace): void {
  signalServer(place, 'SIGKILL');
}

function signalServer(place: NameServerPlace, signal: 'SIGHUP' | 'SIGKILL'): void {
  const pid = processOf(place);
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * The process that has written its number. The server writes the file itself: only a process of its
 * user with its directory is meant.
 */
export function processOf(
  place: Pick<NameServerPlace, 'directory' | 'identity'>,
): number | undefined {
  const config = configOf(place);
  try {
    const pid = pidIn(join(config, PID_FILE));
    if (pid === 0) return undefined;
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return isOfUser(pid, place) && args.includes(config) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a process is of the user whom the server runs as. */
function isOfUser(pid: number, { identity }: Pick<NameServerPlace, 'identity'>): boolean {
  const uid = userOf(pid);
  return uid !== undefined && uid === (identity?.uid ?? process.geteuid?.());
}

/** The number in the file; zero where it has none of a process that may be the server. */
function pidIn(file: string): number {
  try {
    const pid = Number(readStart(file));
    return Number.isInteger(pid) && pid > 1 ? pid : 0;
  } catch {
    return 0;
  }
}

/** The server chooses the length of the file. */
function readStart(path: string): string {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(PID_LENGTH);
    return start.toString('utf8', 0, readSync(file, start));
  } finally {
    closeSync(file);
  }
}

/** The directory with the names, which is among its arguments. */
export function configOf({ directory }: Pick<NetavarkPlace, 'directory'>): string {
  return join(directory, 'netavark', 'aardvark-dns');
}

function tooWeak(): A3sError {
  return new A3sError(
    'state-unusable',
    'Cannot start the DNS server of networks confined: the host lacks user namespaces, or, with A3S_JAIL=require, Landlock or a processor of x86-64',
    { remedy: 'Install bubblewrap and allow user namespaces. See Jail in a3s-box info.' },
  );
}
