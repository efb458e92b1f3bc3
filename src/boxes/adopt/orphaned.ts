/**
 * Ends a running box whose microVM is gone or does not answer.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Box } from '../record/box.ts';
import { sweepVm } from '../record/vm-of.ts';
import { type UndoHost, undoStart } from '../start/undo.ts';
import { type EndHost, finishRun } from '../supervise/finish-run.ts';

/** What the end of an orphaned box needs of the server. */
export type OrphanHost = EndHost & UndoHost;

/** Ends what is left of the VM, and puts that on record. For callers that hold the box's lock. */
export async function endOrphaned(rt: OrphanHost, box: Box, why: string): Promise<void> {
  await sweepVm(rt, box);
  if (box.state.status !== 'starting') return await finishRun(rt, box, why);
  const interrupted = new A3sError('internal', 'The server ended while the box was starting', {
    remedy: 'Start it again.',
  });
  await undoStart(rt, box, interrupted, true);
}
