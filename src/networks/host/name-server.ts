/**
 * The DNS server of all networks of a home. netavark starts it with the first box, and does not
 * start it again when it has ended.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NetavarkPlace } from './netavark.ts';
import { runProgram } from './run-program.ts';

const PORT = '53';

/** Starts it where it does not run. It reads the names that netavark has written. */
export async function ensureNameServer({ directory, holder }: NetavarkPlace): Promise<void> {
  const config = join(directory, 'netavark', 'aardvark-dns');
  if (isRunning(config)) return;
  await runProgram('aardvark-dns', ['--config', config, '-p', PORT, 'run'], { namespace: holder });
}

function isRunning(config: string): boolean {
  try {
    const pid = Number(readFileSync(join(config, 'aardvark.pid'), 'utf8'));
    // Another process may have the number by now.
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return args.includes(config);
  } catch {
    return false;
  }
}
