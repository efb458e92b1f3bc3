/**
 * One attempt at a machine for a box: everything is made, put on record, and launched.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import { linkedSignal } from '../../async/linked-signal.ts';
import { settleAll } from '../../async/settle-all.ts';
import type { Machine } from '../../engine/engine.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import type { Box } from '../record/box.ts';
import { type Runtime, runtimeDirectory } from '../runtime.ts';
import { changesDisks, describeMachine, type Found, makeRuntimeDirectory } from './describe.ts';
import { mayTryOtherPorts, resolvePorts } from './ports.ts';

export interface Launched {
  readonly machine: Machine;
  /** What its guest is to be told. */
  readonly spec: BoxSpec;
  /** A file that is of no use any more. */
  readonly throwaway: string | undefined;
}

/** A port that was free when it was chosen may be taken when it is bound: then another one is chosen. */
export async function launchMachine(
  rt: Runtime,
  box: Box,
  found: Found,
  taken: TakenTemplate | undefined,
): Promise<Launched> {
  const { definition } = box;
  const { id, identity, ports: asked } = definition;
  const directory = runtimeDirectory(rt, id);
  const machine = {
    id,
    identity,
    ...(taken === undefined
      ? { start: 'cold' as const }
      : { start: 'template' as const, source: taken.template.key }),
  };
  await makeRuntimeDirectory(directory, identity);
  const made = changesDisks(rt, definition, { found, directory, taken });
  for (let attempt = 1; ; attempt += 1) {
    const [ports, changes] = await settleAll([resolvePorts(asked), made]);
    const described = describeMachine(definition, { found, directory, ports, changes, taken });
    // On record before anything runs or is bound: whoever takes over finds it by this, and knows its ports.
    rt.store.amend(id, { ports, machine });
    const shutdown = linkedSignal(rt.shutdown);
    try {
      const launched = await rt.engine.launch(described.machine, shutdown.signal);
      return { machine: launched, spec: described.spec, throwaway: changes.throwaway };
    } catch (error) {
      if (!mayTryOtherPorts(error, asked, attempt)) throw error;
    } finally {
      shutdown.unlink();
    }
  }
}
