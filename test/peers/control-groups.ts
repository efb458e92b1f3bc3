/**
 * The control groups that another engine leaves behind: they are outside of its namespaces.
 *
 * @module
 */
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

/** Of that name, of either version, in whichever hierarchies this host has. */
export function controlGroups(name: string): readonly string[] {
  const hierarchies = readdirSync(CGROUPS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(CGROUPS, entry.name));
  return [CGROUPS, ...hierarchies].map((path) => join(path, name)).filter(existsSync);
}

/** Removes a group and those below; false while somebody is in one of them. */
export function removeGroup(path: string): boolean {
  const below = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  if (!below.every((entry) => removeGroup(join(path, entry.name)))) return false;
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
    throw error;
  }
}
