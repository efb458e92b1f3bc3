/**
 * Ends all of an actor's processes as a power cut does, on a host that keeps running.
 *
 * @module
 */
import { rmSync } from 'node:fs';
import type { Actor } from '../../e2e/actor.ts';
import { until } from '../../e2e/processes.ts';

/** All processes are gone at once, and with them what was in memory. */
export async function powerOff(actor: Actor): Promise<void> {
  await until('every process is gone', () => {
    const pids = [actor.serverPid(), ...actor.boxProcesses().map(({ pid }) => pid)];
    const left = pids.filter((pid) => pid !== undefined);
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    return left.length === 0;
  });
  forgetMemory(actor);
}

/** Removes what a host that starts anew does not have. */
export function forgetMemory(actor: Actor): void {
  for (const path of [actor.runtimeDir, actor.snapshotMemory]) {
    rmSync(path, { recursive: true, force: true });
  }
}
