/**
 * Ends the microVM of a pod whose start has failed.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import type { PodHost } from '../pod-host.ts';
import type { RunningPod } from './running-pod.ts';

/** Leaves no process of it, and no runtime directory. */
export async function endVm(
  rt: Pick<PodHost, 'engine' | 'runningPods'>,
  { id, runtimeDir }: { readonly id: string; readonly runtimeDir: string },
  running: RunningPod | undefined,
): Promise<void> {
  if (running !== undefined) {
    await running.vm.kill();
    await running.vm.exited;
    await running.release();
    rt.runningPods.delete(running);
  }
  await rt.engine.sweep(id, runtimeDir);
  // Only after the sweep: until then, its user could put links in the way.
  await rm(runtimeDir, { recursive: true, force: true });
}
