/**
 * The answer of `top`: processes as rows.
 *
 * @module
 */
import type { ProcessEntry } from '../../guest/protocol.ts';
import type { PsColumn, PsContext } from './columns.ts';

/** As Docker's API has it. */
export interface PsTable {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

export function psTable(
  columns: readonly PsColumn[],
  processes: readonly ProcessEntry[],
  context: PsContext,
): PsTable {
  return {
    Titles: columns.map(({ title }) => title),
    Processes: processes.map((entry) => columns.map(({ show }) => show(entry, context))),
  };
}
