/**
 * The limits of this process itself.
 *
 * @module
 */

/** The kernel's names of limits, and prlimit's. */
const NAMES: Readonly<Record<string, string>> = {
  'Max cpu time': 'cpu',
  'Max file size': 'fsize',
  'Max open files': 'nofile',
  'Max address space': 'as',
  'Max data size': 'data',
  'Max processes': 'nproc',
};

/**
 * @param text of `/proc/self/limits`
 * @returns hard limits by prlimit's names, without those that are unlimited
 */
export function parseHardLimits(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, hard] = /^(.+?) {2,}\S+ +(\d+)/.exec(line) ?? [];
    const short = name === undefined ? undefined : NAMES[name];
    if (short !== undefined) found.set(short, Number(hard));
  }
  return found;
}
