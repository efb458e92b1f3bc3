/**
 * The DNS server of all networks of a home, aardvark-dns. netavark would start it as root and with
 * all capabilities, and not start it again when it has ended.
 *
 * It runs as a user of its own, without capabilities: it reads what guests send. The holder lets
 * any user listen on port 53.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NAME_SERVER_IDENTITY } from '../../jail/identity.ts';
import { findTool } from '../../jail/tools.ts';
import type { NetavarkPlace } from './netavark.ts';
import { runProgram } from './run-program.ts';

const PORT = 53;

/** The setting of the holder, below `/proc/sys/net/ipv4`, without which only root may listen. */
export const NAME_SERVER_SETTING = { ip_unprivileged_port_start: PORT } as const;

const { uid, gid } = NAME_SERVER_IDENTITY;
const UNPRIVILEGED = [
  ...[`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs'],
  ...['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--'],
];

/** Makes the directory of its user, where netavark writes the names. */
export async function prepareNameServer(place: NetavarkPlace): Promise<void> {
  const config = configOf(place);
  await mkdir(config, { recursive: true, mode: 0o700 });
  await chown(config, uid, gid);
}

/** Starts it where it does not run. It reads the names that netavark has written. */
export async function ensureNameServer(place: NetavarkPlace): Promise<void> {
  const config = configOf(place);
  if (processOf(config) !== undefined) return;
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

function processOf(config: string): number | undefined {
  try {
    // The server writes the file itself: only a process with its directory is meant.
    const pid = Number(readFileSync(join(config, 'aardvark.pid'), 'utf8'));
    if (!Number.isInteger(pid) || pid <= 1) return undefined;
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return args.includes(config) ? pid : undefined;
  } catch {
    return undefined;
  }
}

function configOf({ directory }: NetavarkPlace): string {
  return join(directory, 'netavark', 'aardvark-dns');
}
