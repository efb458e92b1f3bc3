/**
 * Searches for forbidden data in files, in swap, and in the memory of a process.
 *
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { scaled } from '../time-scale.ts';

const CHUNK = 16 * 2 ** 20;
/** Where a host collects what its kernel dumps, if not where the process was. */
const DUMPS = ['/var/crash', '/var/lib/systemd/coredump', '/var/lib/apport/coredump'];

/**
 * How many lines of all files below the places hold one of the texts. Holes of sparse files are
 * left out: there are gigabytes of them in a disk for changes.
 */
export function linesWith(texts: readonly string[], places: readonly string[]): number {
  const there = places.filter((path) => existsSync(path));
  const archive = 'tar -cSf - --hole-detection=seek -- "$@" 2>/dev/null';
  const found = spawnSync(
    'sh',
    ['-c', `${archive} | LC_ALL=C tr '\\0' '\\n' | LC_ALL=C grep -acF "$TEXTS"`, 'sh', ...there],
    { encoding: 'utf8', env: { ...process.env, TEXTS: texts.join('\n') }, timeout: scaled(60_000) },
  );
  if (found.error !== undefined) throw found.error;
  return Number(found.stdout);
}

/** What the host swaps to, and what it dumped of processes that crashed. */
export function hostPlaces(directories: readonly string[]): readonly string[] {
  const swaps = readFileSync('/proc/swaps', 'utf8').split('\n').slice(1);
  const dumped = ['/', ...directories].flatMap((directory) =>
    existsSync(directory)
      ? readdirSync(directory)
          .filter((name) => name.startsWith('core'))
          .map((name) => join(directory, name))
      : [],
  );
  return [...swaps.map((line) => line.split(/\s/)[0] ?? ''), ...dumped, ...DUMPS].filter(
    (path) => path !== '',
  );
}

/** Whether the memory of a process holds the text. */
export function memoryHolds(pid: number, text: string): boolean {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8')
      .split('\n')
      .flatMap((line) => /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [])
      .filter((part) => part.endsWith(' rw'))
      .some((part) => areaHolds(memory, part.slice(0, -3), Buffer.from(text)));
  } finally {
    closeSync(memory);
  }
}

function areaHolds(memory: number, area: string, text: Buffer): boolean {
  const [first = 0n, end = 0n] = area.split('-').map((hex) => BigInt(`0x${hex}`));
  const buffer = Buffer.alloc(CHUNK);
  // Neighbours overlap, so that nothing lies across two of them.
  const step = BigInt(CHUNK - text.length);
  for (let at = first; at < end; at += step) {
    const length = Number(end - at < BigInt(CHUNK) ? end - at : BigInt(CHUNK));
    try {
      const read = readSync(memory, buffer, 0, length, at);
      if (buffer.subarray(0, read).includes(text)) return true;
    } catch {
      // Mapped, and with nothing behind it.
    }
  }
  return false;
}

/** The digest that the workload's own `sha256sum` prints. */
export function digestOf(text: string): string {
  return execFileSync('sha256sum', { input: text, encoding: 'utf8' }).slice(0, 64);
}
