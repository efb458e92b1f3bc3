/**
 * Ends the microVM of a failed start.
 *
 * @module
 */

import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';

/** Returns when the microVM is gone, and no verb finds it any more. */
export async function abandon(
  rt: Pick<RunServices, 'running'>,
  running: RunningBox,
): Promise<void> {
  await running.vm.kill();
  await running.vm.exited;
  await running.release();
  rt.running.delete(running);
  running.finish();
}
