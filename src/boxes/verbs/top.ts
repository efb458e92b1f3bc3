/**
 * The processes of a box, as `ps` shows them.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Box } from '../record/box.ts';
import { expectPermission } from '../record/host-may.ts';
import type { RunServices } from '../run/run-services.ts';
import { notRunning } from '../run/running-box.ts';
import { boxMemory } from '../spec/resources.ts';
import { parsePsArguments } from '../top/arguments.ts';
import { type PsTable, psTable } from '../top/columns.ts';

/**
 * @param psArguments such as `aux` or `-eo pid,comm`
 * @throws A3sError `invalid-argument` for unsupported arguments of `ps`, `box-not-running`,
 * `conflict`, `host-not-permitted`
 */
export async function topBox(
  rt: Pick<RunServices, 'running'>,
  box: Box,
  psArguments: string,
  signal: AbortSignal,
): Promise<PsTable> {
  const { definition, state } = box;
  expectPermission(box, 'list the processes of', 'stats');
  const columns = parsePsArguments(psArguments);
  if (state.status === 'restarting') {
    throw new A3sError(
      'conflict',
      `Container ${definition.id} is restarting, wait until the container is running`,
    );
  }
  if (state.status !== 'running' && state.status !== 'paused') throw notRunning(definition.id);
  const guest = await rt.running.expect(definition.id).guest();
  const processes = await guest.top(signal);
  return psTable(columns, processes, {
    now: Date.now(),
    memoryBytes: boxMemory(definition.memoryBytes),
  });
}
