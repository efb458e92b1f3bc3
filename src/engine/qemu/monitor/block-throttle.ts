/**
 * Limits what a VM reads and writes of its writable layer. The VMM applies the limit before the
 * host's disk, whatever the guest does.
 *
 * @module
 */
import * as z from 'zod';
import type { HostLimits } from '../../vm/host-limits.ts';
import { findDisks } from './find-disks.ts';
import type { QmpClient } from './qmp.ts';

/** Does nothing where the VM has no such disk. */
export async function throttleDisk(
  monitor: Pick<QmpClient, 'execute'>,
  { readBps, writeBps, readIops, writeIops }: HostLimits['disk'],
): Promise<void> {
  const { changes } = await findDisks(monitor);
  if (changes === undefined) return;
  const limits = {
    ...{ bps: 0, bps_rd: readBps, bps_wr: writeBps },
    ...{ iops: 0, iops_rd: readIops, iops_wr: writeIops },
  };
  await monitor.execute('block_set_io_throttle', { id: changes.device, ...limits }, z.unknown());
}
