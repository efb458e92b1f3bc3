/**
 * Attaches shares to a VM that runs or is paused.
 *
 * @module
 */
import { A3sError } from '../../../errors.ts';
import { shareSocket } from '../../helpers/virtiofsd.ts';
import type { Share } from '../../vm/devices.ts';
import { placedShares } from '../command-line/devices.ts';
import { freeSlots } from '../command-line/slots.ts';
import { executeAll } from './execute-all.ts';
import { freePorts } from './hotplug.ts';
import type { QmpClient } from './qmp.ts';

/**
 * Attaches each share at a root port that is free, joined to the file server that listens on its
 * socket.
 *
 * @throws A3sError `conflict` where the ports are too few; `vmm-failed`, after which the VM may
 * have some of them
 */
export async function attachShares(
  monitor: Pick<QmpClient, 'execute'>,
  shares: readonly Share[],
  runtimeDir: string,
): Promise<void> {
  const slots = freeSlots(shares.length, await freePorts(monitor));
  if (slots === undefined) {
    throw new A3sError(
      'conflict',
      `Cannot attach ${shares.length} shares: the microVM has no place for them`,
      { remedy: 'Mount fewer directories.' },
    );
  }
  const sockets = shares.map((_, index) => shareSocket(runtimeDir, index));
  await executeAll(monitor, placedShares({ shares }, slots, sockets));
}
