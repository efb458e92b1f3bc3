/**
 * Ends programs that change networks for a server that was killed meanwhile: they would go on
 * beside the next one.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isPastaUser } from '../../jail/identity.ts';
import { endAll } from '../../processes/end-all.ts';
import { readProc, userOf } from '../../processes/fence.ts';
import { configOf, type NameServerPlace, processOf } from './names/name-server.ts';

const END_MS = 10_000;
/** netavark, and what runs it. */
const NETAVARK = ['netavark', 'nsenter', 'sh'];
/** The DNS server, and what runs and confines it. */
const NAME_SERVER = ['aardvark-dns', 'bwrap', 'nsenter', 'prlimit', 'setpriv', 'sh'];

/** What tells the programs of these networks from others. */
type Place = Pick<NameServerPlace, 'directory' | 'identity'>;

/**
 * What such a program has made is taken away with the box that it was made for. What is on record
 * stays: a way out, published ports, the DNS server.
 *
 * @param place of networks for which no program of this process works now
 */
export async function endOrphans(place: Place): Promise<void> {
  const find = (): number[] =>
    readdirSync('/proc').flatMap((name) => {
      const pid = Number(name);
      if (!Number.isInteger(pid) || pid === process.pid) return [];
      return isOrphan(pid, place) ? [pid] : [];
    });
  await endAll(find, [], AbortSignal.timeout(END_MS));
}

function isOrphan(pid: number, place: Place): boolean {
  const { directory } = place;
  const args = (readProc(`/proc/${pid}/cmdline`) ?? '').split('\0');
  const program = basename(args[0] ?? '');
  if (args.includes(configOf(place))) return NAME_SERVER.includes(program) && isLost(pid, place);
  // Other users' processes may have any arguments.
  if (!isPastaUser(userOf(pid))) return false;
  if (args.includes(join(directory, 'netavark'))) return NETAVARK.includes(program);
  // What confines it has its name among the arguments.
  const isPasta = args.some((word) => basename(word).startsWith('pasta'));
  if (!isPasta || !args.includes('--pid')) return false;
  // It writes its number once it is ready.
  const pidFile = args[args.indexOf('--pid') + 1] ?? '';
  return pidFile.startsWith(`${directory}/`) && Number(readProc(pidFile)) !== pid;
}

/** Whether a DNS server has not written its number, by which it would be found. */
function isLost(pid: number, place: Place): boolean {
  const uid = userOf(pid);
  // It becomes its user while it starts.
  const isOurs = uid !== undefined && [process.geteuid?.(), place.identity?.uid].includes(uid);
  return isOurs && processOf(place) !== pid;
}
