/**
 * The environment of a process, merged as Docker merges it.
 *
 * @module
 */
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The user's entries, then those of the image whose names the user did not give. */
export function mergeEnvironment(user: readonly string[], image: readonly string[]): string[] {
  const given = new Set(user.map(nameOf));
  return [...user, ...image.filter((entry) => !given.has(nameOf(entry)))];
}

/**
 * What a process starts with: Docker's own variables, overridden by `entries` in order. An entry
 * without `=` removes the variable.
 */
export function processEnvironment(
  hostname: string,
  terminal: boolean,
  entries: readonly string[],
): string[] {
  const own = [DEFAULT_PATH, `HOSTNAME=${hostname}`, ...(terminal ? ['TERM=xterm'] : [])];
  return overrideEnvironment(own, entries);
}

/**
 * Each of `entries` replaces the entry of `base` with the same name, or is appended. One without
 * `=` removes the variable.
 */
export function overrideEnvironment(base: readonly string[], entries: readonly string[]): string[] {
  const result = new Map(base.map((entry) => [nameOf(entry), entry]));
  for (const entry of entries) {
    if (entry.includes('=')) result.set(nameOf(entry), entry);
    else result.delete(entry);
  }
  return [...result.values()];
}

function nameOf(entry: string): string {
  const end = entry.indexOf('=');
  return end === -1 ? entry : entry.slice(0, end);
}
