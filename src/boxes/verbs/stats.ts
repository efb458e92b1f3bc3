/**
 * The resources that a box uses, as its guest counts them.
 *
 * @module
 */
import type { Stats } from '../../guest/protocol.ts';
import type { Box } from '../record/box.ts';
import { expectPermission } from '../record/host-may.ts';
import type { RunServices } from '../run/run-services.ts';

/** @throws A3sError `host-not-permitted` */
export function checkStats(box: Pick<Box, 'definition' | 'name'>): void {
  expectPermission(box, 'count what is used by', 'stats');
}

/** Undefined while the box does not run. */
export async function statsOf(
  rt: Pick<RunServices, 'store' | 'running'>,
  id: string,
  signal: AbortSignal,
): Promise<Stats | undefined> {
  const status = rt.store.get(id)?.state.status;
  const running = rt.running.get(id);
  if (running === undefined || (status !== 'running' && status !== 'paused')) return undefined;
  try {
    return await (await running.guest()).stats(signal);
  } catch (error) {
    // The box ended meanwhile.
    if (running.vmExit !== undefined || rt.running.get(id) !== running) return undefined;
    throw error;
  }
}
