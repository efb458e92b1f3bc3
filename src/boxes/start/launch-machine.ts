/**
 * One attempt at a machine for a box: everything is made, put on record, and launched.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import type { Machine } from '../../engine/engine.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import type { Box } from '../record/box.ts';
import { type Runtime, runtimeDirectory } from '../runtime.ts';
import { changesDisks, describeMachine, type Found, makeRuntimeDirectory } from './describe.ts';
import { launchOnPorts } from './ports.ts';

export interface Launched {
  readonly machine: Machine;
  /** What its guest is to be told. */
  readonly spec: BoxSpec;
  /** A file that is of no use any more. */
  readonly throwaway: string | undefined;
}

export async function launchMachine(
  rt: Runtime,
  box: Box,
  found: Found,
  taken: TakenTemplate | undefined,
): Promise<Launched> {
  const { definition } = box;
  const { id, identity } = definition;
  const directory = runtimeDirectory(rt, id);
  const start =
    taken === undefined
      ? { start: 'cold' as const }
      : { start: 'template' as const, source: taken.template.key };
  await makeRuntimeDirectory(directory, identity);
  const { machine, disks, description } = await launchOnPorts(rt, box, {
    state: { machine: { id, identity, ...start } },
    disks: changesDisks(rt, definition, { found, directory, taken }),
    describe: (ports, changes) =>
      describeMachine(definition, { found, directory, ports, changes, taken }),
  });
  return { machine, spec: description.spec, throwaway: disks.throwaway };
}
