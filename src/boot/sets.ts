/**
 * Manages all boot sets of a home: the one of this installation, those that boxes have pinned, and
 * those that were imported.
 *
 * @module
 */
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../errors.ts';
import { unpackBootSet } from './archive.ts';
import {
  type BootSet,
  INSTALLING,
  installBootSet,
  isBootSetId,
  pinnedBootSet,
  putInPlace,
  readBootSet,
} from './bootset.ts';

/** A mark beside a set's files: the set stays, whether a box pins it or not. */
const KEPT = 'kept';

/** Fewest digits of an id that name a set. */
const MIN_PREFIX = 4;

export interface BootPlaces {
  /** Where the set of this installation lies. */
  readonly bootDir: string;
  /** Directory with the other sets, below `boot`. */
  readonly home: string;
}

export interface ListedSet {
  readonly set: BootSet;
  /** Of this installation: new boxes boot from it. */
  readonly current: boolean;
  /** Imported, and not removed since. */
  readonly imported: boolean;
}

/** The usable sets: the current one first, the others by id. */
export async function listBootSets({ bootDir, home }: BootPlaces): Promise<readonly ListedSet[]> {
  const current = await readBootSet(bootDir).catch(() => undefined);
  const listed = new Map<string, ListedSet>();
  if (current !== undefined) {
    const imported = await isKept(home, current.id);
    listed.set(current.id, { set: current, current: true, imported });
  }
  const names = await readdir(join(home, 'boot')).catch(() => []);
  for (const id of names.filter(isBootSetId).sort()) {
    const set = await pinnedBootSet(home, id).catch(() => undefined);
    if (set === undefined || listed.has(id)) continue;
    listed.set(id, { set, current: false, imported: await isKept(home, id) });
  }
  return [...listed.values()];
}

/**
 * The set of an id or of its first digits.
 *
 * @throws A3sError `no-such-boot-set`; `invalid-argument` where several begin so
 */
export async function findBootSet(places: BootPlaces, asked: string): Promise<ListedSet> {
  const named = /^[0-9a-f]+$/.test(asked) && asked.length >= MIN_PREFIX;
  const all = named ? await listBootSets(places) : [];
  const [found, ...others] = all.filter(({ set }) => set.id.startsWith(asked));
  if (found === undefined) {
    throw new A3sError('no-such-boot-set', `No such boot set: ${asked}`, {
      remedy: 'List them with a3s-box boot ls; a directory is named by a path with a slash.',
    });
  }
  if (others.length > 0) {
    throw new A3sError('invalid-argument', `Several boot sets begin with ${asked}`, {
      remedy: 'Give more digits of the id.',
    });
  }
  return found;
}

/**
 * Imports a set from an archive. It stays until it is removed.
 *
 * @throws A3sError `boot-set-invalid`
 */
export async function importBootSet(
  home: string,
  archive: AsyncIterable<Uint8Array>,
): Promise<BootSet> {
  const parent = join(home, 'boot');
  await mkdir(parent, { recursive: true, mode: 0o755 });
  const work = await mkdtemp(join(parent, INSTALLING));
  try {
    const id = await unpackBootSet(archive, work);
    await writeFile(join(work, KEPT), '', { mode: 0o444 });
    await chmod(work, 0o755);
    await putInPlace(work, join(parent, id));
    return await keep(home, id);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The same from a directory with a set. Throws `boot-set-missing`. */
export async function importBootDirectory(home: string, directory: string): Promise<BootSet> {
  const { id } = await installBootSet(directory, home);
  return await keep(home, id);
}

/**
 * Releases an imported set. Its files are deleted when the server next starts and no box pins them.
 *
 * @throws A3sError `no-such-boot-set` for one that was not imported
 */
export async function forgetBootSet(home: string, id: string): Promise<void> {
  if (!(await isKept(home, id))) {
    throw new A3sError(
      'no-such-boot-set',
      `Cannot remove the boot set ${id}: it was not imported`,
      {
        remedy: 'Sets that no box pins go by themselves when the server starts.',
      },
    );
  }
  await rm(join(home, 'boot', id, KEPT), { force: true });
}

/** Whether a set stays without a box that pins it. */
export async function isKept(home: string, id: string): Promise<boolean> {
  return await stat(join(home, 'boot', id, KEPT)).then(
    () => true,
    () => false,
  );
}

/** A set that existed before the import has no mark yet. */
async function keep(home: string, id: string): Promise<BootSet> {
  const set = await pinnedBootSet(home, id);
  // The mark is as read-only as the other files, even for its owner.
  if (await isKept(home, id)) return set;
  await writeFile(join(set.directory, KEPT), '', { mode: 0o444 });
  return set;
}
