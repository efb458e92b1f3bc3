/**
 * The work on files that a program inside a box does, and how long it takes by the clock there.
 *
 * @module
 */

/** The work by its verb, as the row names it. */
export const FS_WORK = {
  'seq-write': 'write',
  'seq-read': 'read',
  'random-4k-fsync': 'random',
  'small-files': 'small',
} as const;

/** A command inside, whose output is milliseconds. */
export type Inside = (command: readonly string[]) => Promise<string>;

export async function milliseconds(inside: Inside, command: readonly string[]): Promise<number> {
  const said = (await inside(command)).trim();
  const figure = Number(said);
  if (said === '' || !Number.isFinite(figure)) throw new Error(`not a time: ${said}`);
  return figure;
}
