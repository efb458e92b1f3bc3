/**
 * Launching a machine whose published ports are chosen just before.
 *
 * @module
 */

import { linkedSignal } from '../../async/linked-signal.ts';
import type { Machine, MachineSpec } from '../../engine/engine.ts';
import type { Box, BoxState, Port } from '../record/box.ts';
import type { Runtime } from '../runtime.ts';
import { mayTryOtherPorts, resolvePorts } from './ports.ts';

/**
 * A port that was free when it was chosen may be taken when it is bound: then another one is chosen. Ports and machine are
 * on record before anything runs or is bound: whoever takes over finds it by this, and knows its ports.
 */
export async function launchOnPorts(
  rt: Pick<Runtime, 'engine' | 'store' | 'shutdown'>,
  { definition: { id, ports: asked } }: Box,
  state: Partial<Omit<BoxState, 'status' | 'ports'>>,
  describe: (ports: readonly Port[]) => MachineSpec,
): Promise<{ readonly machine: Machine; readonly spec: MachineSpec }> {
  for (let attempt = 1; ; attempt += 1) {
    const ports = await resolvePorts(asked);
    const spec = describe(ports);
    rt.store.amend(id, { ...state, ports });
    const shutdown = linkedSignal(rt.shutdown);
    try {
      return { spec, machine: await rt.engine.launch(spec, shutdown.signal) };
    } catch (error) {
      if (!mayTryOtherPorts(error, asked, attempt)) throw error;
    } finally {
      shutdown.unlink();
    }
  }
}
