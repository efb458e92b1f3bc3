/**
 * The DNS server of all networks of a home, aardvark-dns. netavark would start it as root and with
 * all capabilities, and not start it again when it has ended.
 *
 * It runs as a user of its own, without capabilities: it reads what guests send. The holder lets
 * any user listen on port 53.
 *
 * @module
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NAME_SERVER_IDENTITY } from '../../jail/identity.ts';
import { findTool } from '../../jail/tools.ts';
import type { NetavarkPlace } from './netavark.ts';
import { runProgram } from './run-program.ts';

const PORT = 53;
const PID_FILE = 'aardvark.pid';
/** Longer than any number of a process, in bytes. */
const PID_LENGTH = 32;

/** The setting of the holder, below `/proc/sys/net/ipv4`, without which only root may listen. */
export const NAME_SERVER_SETTING = { ip_unprivileged_port_start: PORT } as const;

const { uid, gid } = NAME_SERVER_IDENTITY;
const UNPRIVILEGED = [
  ...[`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs'],
  ...['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--'],
];

/**
 * Makes the directory where netavark writes the names. The server reads it and makes nothing in it:
 * netavark opens files there as root, and would follow symbolic links of the server's.
 */
export async function prepareNameServer(place: NetavarkPlace): Promise<void> {
  const config = configOf(place);
  await mkdir(config, { recursive: true });
  await chown(config, 0, gid);
  // Whatever the umask of this process.
  await chmod(config, 0o750);
}

/**
 * Removes the number of a server that has ended, or of what never was the server. netavark sends a
 * signal to the process that the file names.
 */
export async function forgetEndedServer(place: NetavarkPlace): Promise<void> {
  const config = configOf(place);
  if (processOf(config) === undefined) await rm(join(config, PID_FILE), { force: true });
}

/** Starts it where it does not run. It reads the names that netavark has written. */
export async function ensureNameServer(place: NetavarkPlace): Promise<void> {
  const config = configOf(place);
  if (processOf(config) !== undefined) return;
  // It may write this one file, and make none.
  const file = join(config, PID_FILE);
  await rm(file, { force: true });
  await writeFile(file, '', { flag: 'wx', mode: 0o600 });
  await chown(file, uid, gid);
  const server = await findTool('aardvark-dns');
  const args = [...UNPRIVILEGED, server, '--config', config, '-p', String(PORT), 'run'];
  await runProgram('setpriv', args, { namespace: place.holder });
}

/** Ends it, if it runs. It ends by itself with the last name, which a crash may have left. */
export function endNameServer(place: NetavarkPlace): void {
  const pid = processOf(configOf(place));
  if (pid === undefined) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The server writes the file itself: only a process of its user with its directory is meant. */
function processOf(config: string): number | undefined {
  try {
    const pid = Number(readStart(join(config, PID_FILE)));
    if (!Number.isInteger(pid) || pid <= 1) return undefined;
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const isOfUser = readFileSync(`/proc/${pid}/status`, 'utf8').includes(`\nUid:\t${uid}\t`);
    return isOfUser && args.includes(config) ? pid : undefined;
  } catch {
    return undefined;
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

function configOf({ directory }: NetavarkPlace): string {
  return join(directory, 'netavark', 'aardvark-dns');
}
