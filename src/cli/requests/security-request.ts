/**
 * The flags for what the processes of a box may do, as the fields of Docker's API that they set. What is not given is
 * left out.
 *
 * @module
 */
import type { ProcessOptions } from '../../docker-api/process-options.ts';
import type { FlagValues } from '../flags/flag-values.ts';

/** @throws UsageError that names the flag */
export function securityRequest(flags: FlagValues): Partial<ProcessOptions> {
  return { CapAdd: given(flags.list('cap-add')), CapDrop: given(flags.list('cap-drop')) };
}

/** A list that nothing was given for is not sent. */
function given<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
