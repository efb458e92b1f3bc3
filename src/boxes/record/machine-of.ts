/**
 * The machine that a box runs in. Mostly it bears the box's id and identity; one that was there before the box, or came
 * out of another's memory, has its own.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import type { JailIdentity } from '../../jail/jail.ts';
import { type Runtime, runtimeDirectory } from '../runtime.ts';
import type { Box, BoxState } from './box.ts';

/** What everything of a machine is found by: its VMM, its helpers, its sockets. */
export interface BoxMachine {
  readonly id: string;
  readonly identity: JailIdentity;
  /** Where its sockets lie. */
  readonly directory: string;
}

/** The one of the box's present run, or of its last. */
export function machineOf(
  rt: Pick<Runtime, 'runtimeDir'>,
  { definition, state }: Pick<Box, 'definition' | 'state'>,
): BoxMachine {
  const { id, identity } = state.machine ?? definition;
  return { id, identity, directory: runtimeDirectory(rt, id) };
}

/** Ends what is left of the box's machine, and removes its directory. */
export async function sweepMachine(
  rt: Pick<Runtime, 'runtimeDir' | 'engine'>,
  box: Pick<Box, 'definition' | 'state'>,
): Promise<void> {
  const { id, directory } = machineOf(rt, box);
  await rt.engine.sweep(id, directory);
  // Only now: until it is swept, its user could put links in the way.
  await rm(directory, { recursive: true, force: true });
}

/** What an event says of how it came to be. */
export function machineAttributes(machine: BoxState['machine']): Record<string, string> {
  if (machine === undefined) return {};
  const { start, source } = machine;
  return { machine: start, ...(source === undefined ? {} : { machineSource: source }) };
}
