/**
 * The code for boot sets, loaded from its own bundle.
 *
 * @module
 */
import { resolve } from 'node:path';
import type { Context } from './context.ts';
import { withLibrary } from './with-library.ts';

type Library = typeof import('#boot');
export type ListedSet = Awaited<ReturnType<Library['listBootSets']>>[number];

export function withBoot<T>(act: (library: Library) => T | Promise<T>): Promise<T> {
  return withLibrary(import('#boot'), act);
}

/** The operand that names a set, in descriptions of commands. */
export const SET_HELP =
  'SET is an id or its first digits, or the path of a directory, with a slash.';

/** The named set; without a name, the set of this installation. */
export async function namedBootSet(context: Context, name: string | undefined): Promise<ListedSet> {
  const places = await context.config();
  const path = name === undefined ? places.bootDir : bootDirectory(context.cwd, name);
  return withBoot(async ({ findBootSet, readBootSet }) => {
    if (path === undefined) return findBootSet(places, name ?? '');
    return { set: await readBootSet(path), current: name === undefined, imported: false };
  });
}

/** The absolute path of a directory that the user named in place of a set; undefined for an id. */
export function bootDirectory(cwd: string, name: string): string | undefined {
  return name.includes('/') || name === '.' || name === '..' ? resolve(cwd, name) : undefined;
}
