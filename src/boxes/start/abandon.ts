/**
 * Ending the machine of a start that failed.
 *
 * @module
 */
import type { RunningBox } from '../run/running-box.ts';
import type { Runtime } from '../runtime.ts';

/** Returns when nothing of the machine runs any more, and no verb finds it. */
export async function abandon(rt: Pick<Runtime, 'running'>, running: RunningBox): Promise<void> {
  await running.machine.kill();
  await running.machine.exited;
  await running.release();
  rt.running.delete(running);
  running.finish();
}
