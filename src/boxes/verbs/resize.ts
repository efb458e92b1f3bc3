/**
 * Resizes the terminal of a box's main process.
 *
 * @module
 */
import { MAIN, type TerminalSize } from '../../guest/protocol.ts';
import { expectPermission } from '../record/host-may.ts';
import type { RunServices } from '../run/run-services.ts';

/** @throws A3sError `box-not-running`, `invalid-argument` for a box without a terminal */
export async function resizeBox(
  rt: Pick<RunServices, 'store' | 'running'>,
  id: string,
  size: TerminalSize,
): Promise<void> {
  expectPermission(rt.store.expect(id), 'resize the terminal of', 'attach');
  const guest = await rt.running.expect(id).guest();
  await guest.resize(MAIN, size);
}
