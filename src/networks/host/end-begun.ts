/**
 * Ends programs that change networks for a server that was killed meanwhile: they would go on
 * beside the next one.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { endAll } from '../../processes/end-all.ts';

const END_MS = 10_000;
/** netavark, and what runs it. */
const NETAVARK = ['netavark', 'nsenter', 'sh'];

/**
 * What such a program has made is taken away with the box that it was made for. What is on record
 * stays: a way out, published ports.
 *
 * @param directory of these networks, for which no program of this process works now
 */
export async function endBegun(directory: string): Promise<void> {
  const find = (): number[] =>
    readdirSync('/proc').flatMap((name) => {
      const pid = Number(name);
      if (!Number.isInteger(pid) || pid === process.pid) return [];
      return isBegun(pid, directory) ? [pid] : [];
    });
  await endAll(find, [], AbortSignal.timeout(END_MS));
}

function isBegun(pid: number, directory: string): boolean {
  const args = read(`/proc/${pid}/cmdline`).split('\0');
  const [program = ''] = args;
  if (args.includes(join(directory, 'netavark'))) return NETAVARK.includes(basename(program));
  // pasta writes its number once it is ready.
  const pidFile = args[args.indexOf('--pid') + 1] ?? '';
  return pidFile.startsWith(`${directory}/`) && Number(read(pidFile)) !== pid;
}

/** Empty where there is none. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
