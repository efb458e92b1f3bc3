/**
 * The microVM that a box runs in. It mostly has the box's id and identity. One that was started
 * before the box, for a pool, has its own.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import type { Engine } from '../../engine/engine.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import type { Box, BoxState } from './box.ts';
import { runtimeDirectory } from './directories.ts';

/** What everything of a microVM is found by: its VMM, its helpers, its sockets. */
export interface BoxVm {
  readonly id: string;
  readonly identity: JailIdentity;
  /** The directory of its sockets. */
  readonly directory: string;
}

/** The microVM of the box's present run, or of its last. */
export function vmOf(
  rt: { readonly runtimeDir: string },
  { definition, state }: Pick<Box, 'definition' | 'state'>,
): BoxVm {
  const { id, identity } = state.machine ?? definition;
  return { id, identity, directory: runtimeDirectory(rt, id) };
}

/** Ends what is left of the box's microVM, and removes its directory. */
export async function sweepVm(
  rt: { readonly runtimeDir: string; readonly engine: Engine },
  box: Pick<Box, 'definition' | 'state'>,
): Promise<void> {
  const { id, directory } = vmOf(rt, box);
  await rt.engine.sweep(id, directory);
  // Only after the sweep: until then, its user could put links in the way.
  await rm(directory, { recursive: true, force: true });
}

/** The attributes of an event about how the microVM was started. */
export function vmAttributes(vm: BoxState['machine']): Record<string, string> {
  if (vm === undefined) return {};
  const { start, source } = vm;
  return { machine: start, ...(source === undefined ? {} : { machineSource: source }) };
}
