/**
 * Everything that an actor's boxes leave on the host. They leave nothing where it is the same
 * before and after.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Actor } from '../actor.ts';

/** Of a home: it grows, and says nothing of boxes. */
const KEPT = /^(state\.db.*|server\.log(\.1)?)$/;

export interface Traces {
  readonly files: readonly string[];
  readonly sockets: readonly string[];
  readonly processes: readonly string[];
}

/**
 * Directories, disks and sockets by their names, and the processes of VMs with all that stands
 * beside them.
 */
export function tracesOf(actor: Actor): Traces {
  return {
    files: below(actor.directory).filter((path) => !KEPT.test(path.replace(/^home\//, ''))),
    sockets: below(actor.runtimeDir).filter((path) => path !== 'server.sock'),
    processes: actor.boxProcesses().map(({ commandLine }) => commandLine),
  };
}

function below(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true })
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
      .sort();
  } catch {
    // It goes with the last that is in it, and things go from it while it is read.
    return [];
  }
}
