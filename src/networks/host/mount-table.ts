/**
 * The mounts that this process sees (proc_pid_mountinfo(5)).
 *
 * @module
 */
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ifMissing } from './if-missing.ts';

export interface MountEntry {
  readonly path: string;
  /** Of this mount alone, such as `ro`; its file system has others. */
  readonly options: readonly string[];
}

export function mountTable(): MountEntry[] {
  return parseMountTable(readFileSync('/proc/self/mountinfo', 'utf8'));
}

export function parseMountTable(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, , , , path, options = ''] = line.split(' ');
      return { path: unescaped(path), options: options.split(',') };
    });
}

/** Whether something is mounted there. Directories on the way may be symbolic links. */
export function isMounted(path: string): boolean {
  const place = withoutLinks(path);
  return place !== undefined && mountTable().some((entry) => entry.path === place);
}

/** @returns undefined where the directory is not there */
function withoutLinks(path: string): string | undefined {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch (error) {
    return ifMissing(error as NodeJS.ErrnoException);
  }
}

/**
 * The kernel writes a space, and what else would end a word, as a backslash and three octal digits.
 */
function unescaped(word = ''): string {
  return word.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
