/**
 * Launches the microVM of a box that boots or starts from a template.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import type { Vm } from '../../engine/engine.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import { syncChanges } from '../disks/writable-layer.ts';
import type { Box } from '../record/box.ts';
import { makeRuntimeDirectory, runtimeDirectory } from '../record/directories.ts';
import type { Services } from '../services/services.ts';
import { changesDisks, describeVm, type Found } from './describe.ts';
import { launchOnPorts } from './ports.ts';

export interface LaunchedVm {
  readonly vm: Vm;
  /** The spec for the guest. */
  readonly spec: BoxSpec;
  /** A file that is not needed once the microVM has it open. */
  readonly throwaway: string | undefined;
  /** Settles when a new writable layer would outlast a power cut. */
  readonly durable: Promise<void>;
}

/** What a launch needs of the server. */
export type LaunchHost = Pick<Services, 'home' | 'runtimeDir' | 'engine' | 'store' | 'shutdown'>;

/** @param taken undefined: the microVM boots */
export async function launchVm(
  rt: LaunchHost,
  box: Box,
  found: Found,
  taken: TakenTemplate | undefined,
): Promise<LaunchedVm> {
  const { definition } = box;
  const { id, identity } = definition;
  const directory = runtimeDirectory(rt, id);
  const start =
    taken === undefined
      ? { start: 'cold' as const }
      : { start: 'template' as const, source: taken.template.key };
  await makeRuntimeDirectory(directory, identity);
  const { vm, disks, description } = await launchOnPorts(rt, box, {
    state: { machine: { id, identity, ...start } },
    disks: changesDisks(rt, definition, { found, directory, taken }),
    describe: (ports, changes) =>
      describeVm(definition, { found, directory, ports, changes, taken }),
  });
  const isNew =
    !found.keptChanges || (definition.storage !== undefined && box.state.startedAt === undefined);
  const durable = isNew ? syncChanges(rt, definition) : Promise.resolve();
  // The caller that starts the main process learns of a failure. Before that, perhaps nobody awaits this.
  durable.catch(() => undefined);
  return { vm, spec: description.spec, throwaway: disks.throwaway, durable };
}
