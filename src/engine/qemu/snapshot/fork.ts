/**
 * One launch of a fork: the VMM maps the saved RAM, loads the state, and continues from there.
 *
 * @module
 */

import { settleOrAbort } from '../../../async/settle-all.ts';
import { A3sError } from '../../../errors.ts';
import { whenAborted } from '../../deadline.ts';
import { startTranslator } from '../../helpers/passt.ts';
import type { OpenSavedVm } from '../../vm/saved-vm.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { startVmm } from '../boot/vmm.ts';
import type { VmmPlan } from '../command-line/arguments.ts';
import { loadedCard } from '../command-line/template-devices.ts';
import { VmEvents } from '../monitor/events.ts';
import { executeAll } from '../monitor/execute-all.ts';
import { load, marker } from '../template/start-from-template.ts';
import { QemuVm } from '../vm.ts';

/** A plan whose VM is a fork. */
export type ForkPlan = VmmPlan & { readonly spec: VmSpec & { readonly fork: OpenSavedVm } };

/**
 * On failure processes may be left. The caller ends them, by the runtime directory.
 *
 * @param kernel descriptor of the stub
 */
export async function forkVm(plan: ForkPlan, kernel: number, signal: AbortSignal): Promise<QemuVm> {
  const { id, runtimeDir, nic, fork, shares } = plan.spec;
  if (shares.length > 0) {
    throw new A3sError('invalid-argument', 'Cannot start a fork of a microVM with shares');
  }
  const events = new VmEvents();
  let resumed = (): void => undefined;
  const runs = new Promise<void>((resolve) => {
    resumed = resolve;
  });
  const [vmm, ...servers] = await settleOrAbort(signal, (waiting) => [
    startVmm(
      plan,
      { kernel, ram: fork.ram, state: fork.state },
      (event) => {
        if (event.name === 'RESUME') resumed();
        events.receive(event);
      },
      waiting,
    ),
    ...startTranslator(plan.spec, waiting),
  ]);
  const { monitor, helper, process } = vmm;
  try {
    // A VM from a template always has a card.
    if (nic !== undefined || fork.arrangement === 'template') {
      await executeAll(monitor, loadedCard(nic, runtimeDir));
    }
    await load(monitor);
    await Promise.race([runs, whenAborted(helper.ended), whenAborted(signal)]);
    await executeAll(monitor, [marker()]);
    signal.throwIfAborted();
  } catch (error) {
    monitor.close();
    signal.throwIfAborted();
    throw (await helper.lastWords()) ?? error;
  }
  const vm = new QemuVm({
    ...{ id, runtimeDir, vmm: process, monitor },
    helpers: [helper, ...servers],
  });
  events.forward(vm);
  return vm;
}
