/**
 * Looks for bytes in all files below a directory: for secrets, which nothing may keep.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Dirent, Stats } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { text } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';

/** What is looked for, by what it is called. */
export type Wanted = ReadonlyMap<string, Buffer>;

const GZIP = Buffer.from([0x1f, 0x8b, 8]);
/** Of which `st_blocks` counts. */
const BLOCK_BYTES = 512;

/**
 * The files that have each, in their names or in their content, decompressed too. Files that
 * another program removes meanwhile have none.
 *
 * @returns what was found → paths below the directory, sorted
 */
export async function foundIn(
  directory: string,
  wanted: Wanted,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const found = new Map<string, Set<string>>();
  const note = (what: string, path: string): void => {
    found.set(what, (found.get(what) ?? new Set()).add(path));
  };
  for await (const { path, entry } of filesBelow(directory)) {
    for (const [what, bytes] of wanted) {
      if (Buffer.from(path, 'utf8').includes(bytes)) note(what, path);
    }
    if (!entry.isFile()) continue;
    for await (const content of contentsOf(join(directory, path))) {
      for (const what of await search(content, wanted)) note(what, path);
    }
  }
  return Object.fromEntries([...found].map(([what, paths]) => [what, [...paths].toSorted()]));
}

async function* filesBelow(
  directory: string,
  below = '',
): AsyncGenerator<{ readonly path: string; readonly entry: Dirent }> {
  const entries = await unlessGone(readdir(join(directory, below), { withFileTypes: true }));
  for (const entry of entries ?? []) {
    const path = join(below, entry.name);
    yield { path, entry };
    if (entry.isDirectory()) yield* filesBelow(directory, path);
  }
}

/** As it is, and decompressed. */
async function* contentsOf(path: string): AsyncGenerator<AsyncIterable<Buffer>> {
  const file = await unlessGone(open(path));
  if (file === undefined) return;
  const whole = () => file.createReadStream({ start: 0, autoClose: false });
  try {
    const stats = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(GZIP.length), 0, GZIP.length, 0);
    yield isSparse(stats) ? withoutHoles(path) : whole();
    if (!buffer.subarray(0, bytesRead).equals(GZIP)) return;
    yield pipeline(whole(), createGunzip(), () => undefined);
  } finally {
    await file.close();
  }
}

function isSparse({ blocks, size }: Stats): boolean {
  return blocks * BLOCK_BYTES < size / 2;
}

/** tar's status where a file has changed while it was read, as the disk of a box that runs. */
const CHANGED = 1;

/** A disk of many GiB has few that were written. */
async function* withoutHoles(path: string): AsyncGenerator<Buffer> {
  const words = ['--create', '--sparse', '--file=-', '--absolute-names', path];
  const child = spawn('tar', words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const said = text(child.stderr);
  yield* child.stdout;
  const [status] = (await ended) as [number | null];
  if (status !== 0 && status !== CHANGED) throw new Error(`cannot read ${path}: ${await said}`);
}

async function search(
  content: AsyncIterable<Buffer>,
  wanted: Wanted,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const longest = Math.max(...[...wanted.values()].map(({ length }) => length));
  let rest = Buffer.alloc(0);
  for await (const chunk of content) {
    const bytes = Buffer.concat([rest, chunk]);
    for (const [what, each] of wanted) if (bytes.includes(each)) found.add(what);
    rest = bytes.subarray(Math.max(0, bytes.length - longest + 1));
  }
  return found;
}

async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
