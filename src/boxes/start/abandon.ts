/**
 * Ends the microVM of a failed start.
 *
 * @module
 */
import type { RunningBox } from '../run/running-box.ts';
import type { Runtime } from '../runtime.ts';

/** Returns when the microVM is gone, and no verb finds it any more. */
export async function abandon(rt: Pick<Runtime, 'running'>, running: RunningBox): Promise<void> {
  await running.vm.kill();
  await running.vm.exited;
  await running.release();
  rt.running.delete(running);
  running.finish();
}
