/**
 * One launch: the VMM and its helpers start side by side, then all devices of the box are attached,
 * then the guest runs.
 *
 * Attaching before the guest's first instruction costs 10 ms in all. The guest finds its devices as
 * if they had been there from the start, and nothing races with the firmware's scan of the buses.
 *
 * @module
 */
import * as z from 'zod';
import { settleOrAbort } from '../../../async/settle-all.ts';
import type { Helper } from '../../helpers/helper.ts';
import { startTranslator } from '../../helpers/passt.ts';
import { fileServers, shareSocket, startVirtiofsd } from '../../helpers/virtiofsd.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';
import type { VmmPlan } from '../command-line/arguments.ts';
import { diskCommands, nicCommands, shareCommands } from '../command-line/devices.ts';
import { VmEvents } from '../monitor/events.ts';
import { executeAll } from '../monitor/execute-all.ts';
import type { QmpClient } from '../monitor/qmp.ts';
import { QemuVm } from '../vm.ts';
import { startVmm } from './vmm.ts';

/** On failure processes may be left. The caller ends them, by the runtime directory. */
export async function launchVm(
  spec: VmSpec,
  host: Pick<VmmPlan, 'accelerator' | 'tscKhz'>,
  signal: AbortSignal,
): Promise<QemuVm> {
  const events = new VmEvents();
  const { id, runtimeDir, shares } = spec;
  const [vmm, ...servers] = await settleOrAbort(signal, (waiting) => [
    startVmm(
      { spec, ...host, start: 'boot', growthBytes: 0 },
      {},
      (event) => events.receive(event),
      waiting,
    ),
    ...startTranslator(spec, waiting),
    ...shares.map((share, index) => startVirtiofsd(share, index, fileServers(spec), waiting)),
  ]);
  const { monitor, helper, process } = vmm;
  try {
    await attachDevices(spec, monitor, signal);
    await monitor.execute('cont', {}, z.unknown());
    signal.throwIfAborted();
  } catch (error) {
    monitor.close();
    throw error;
  }
  const helpers: Helper[] = [helper, ...servers];
  const vm = new QemuVm({ id, runtimeDir, vmm: process, monitor, helpers });
  events.forward(vm);
  return vm;
}

async function attachDevices(spec: VmSpec, monitor: QmpClient, signal: AbortSignal): Promise<void> {
  const { runtimeDir, nic, shares } = spec;
  await executeAll(monitor, diskCommands(spec));
  signal.throwIfAborted();
  if (nic !== undefined) await executeAll(monitor, nicCommands(nic, runtimeDir));
  signal.throwIfAborted();
  const sockets = shares.map((_, index) => shareSocket(runtimeDir, index));
  await executeAll(monitor, shareCommands(spec, sockets));
}
