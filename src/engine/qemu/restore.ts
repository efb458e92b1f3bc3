/**
 * One launch from a template: the VMM starts with the box's disks in its slots, loads the devices' state over the template's
 * RAM, and runs. What has no slot is plugged in while the guest runs already.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { whenAborted } from '../deadline.ts';
import type { MachineSpec, Template } from '../engine.ts';
import type { Helper } from '../helper.ts';
import { passtSocket, startPasst } from '../passt.ts';
import { shareSocket, startVirtiofsd } from '../virtiofsd.ts';
import type { VmmPlan } from './arguments.ts';
import { STATE_URI } from './descriptor-sets.ts';
import { MachineEvents } from './events.ts';
import { type Command, placedDisks, placedShares, plug } from './hotplug.ts';
import { together } from './launch.ts';
import { QemuMachine } from './machine.ts';
import { growthCommands } from './memory-growth.ts';
import type { QmpClient } from './qmp.ts';
import { privateRam } from './ram-copy.ts';
import { extraSlots } from './slots.ts';
import { joinCommands } from './template-devices.ts';
import { type StartedVmm, startVmm } from './vmm.ts';

/** The backend whose presence says that a launch from a template came to its end. */
export const LAUNCHED = 'launched';

/** A plan whose machine has a template. */
export type RestorePlan = VmmPlan & {
  readonly spec: MachineSpec & { readonly template: Template };
};

/**
 * On failure processes may be left; the caller ends them, by the runtime directory.
 *
 * @param kernel descriptor of the stub
 * @throws A3sError `template-unusable` where it failed for the template, or may have
 */
export async function restoreMachine(
  plan: RestorePlan,
  kernel: number,
  signal: AbortSignal,
): Promise<QemuMachine> {
  const { spec } = plan;
  const { id, runtimeDir, identity, nic, shares } = spec;
  const slots = extraSlots(spec);
  if (slots === undefined) {
    throw new A3sError('invalid-argument', 'Cannot start from a template: too many disks');
  }
  const events = new MachineEvents();
  const [vmm, ...servers] = await together(signal, (waiting) => {
    const passt = nic === undefined ? undefined : startPasst(nic, runtimeDir, identity, waiting);
    const files = shares.map((share, index) =>
      startVirtiofsd(share, index, runtimeDir, identity, waiting),
    );
    const running = startCopy(plan, kernel, events, waiting);
    const growth = growthCommands(plan);
    const plugged = running.then(async (started) => {
      const { monitor } = started;
      const sockets = shares.map((_, index) => shareSocket(runtimeDir, index));
      await Promise.all([
        plug(monitor, [...growth, ...placedDisks(spec, slots.disks)]),
        passt?.then(() => plug(monitor, joinCommands(passtSocket(runtimeDir)))),
        Promise.all(files).then(() => plug(monitor, placedShares(spec, slots.shares, sockets))),
      ]);
      return started;
    });
    return [plugged, ...(passt === undefined ? [] : [passt]), ...files];
  });
  const { monitor, helper, process } = vmm;
  try {
    await plug(monitor, [marker()]);
    signal.throwIfAborted();
  } catch (error) {
    monitor.close();
    throw error;
  }
  const helpers: Helper[] = [helper, ...servers];
  const machine = new QemuMachine({ id, runtimeDir, vmm: process, monitor, helpers });
  events.forward(machine);
  return machine;
}

/** Up to a guest that runs. */
async function startCopy(
  plan: RestorePlan,
  kernel: number,
  events: MachineEvents,
  signal: AbortSignal,
): Promise<StartedVmm> {
  const { template, shares, identity } = plan.spec;
  const state = await openState(template.devicePath);
  const copy = shares.length === 0 ? undefined : await privateRam(template, identity);
  try {
    await copy?.filled;
    const ram = copy?.file.fd ?? template.ram;
    let resumed = (): void => undefined;
    const runs = new Promise<void>((resolve) => {
      resumed = resolve;
    });
    const vmm = await startVmm(
      plan,
      { kernel, ram, state: state.fd },
      (event) => {
        if (event.name === 'RESUME') resumed();
        events.receive(event);
      },
      signal,
    );
    try {
      await load(vmm.monitor);
      await Promise.race([runs, whenAborted(vmm.helper.ended), whenAborted(signal)]);
    } catch (error) {
      vmm.monitor.close();
      signal.throwIfAborted();
      throw (await vmm.helper.lastWords()) ?? error;
    }
    return vmm;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof A3sError && error.code !== 'vmm-failed') throw error;
    throw unusable(error);
  } finally {
    await state.close();
    await copy?.file.close();
  }
}

/** All at once: `cont` is taken while the state is loaded, and done after. */
export async function load(monitor: QmpClient): Promise<void> {
  const capabilities = [{ capability: 'x-ignore-shared', state: true }];
  await plug(monitor, [
    ['migrate-set-capabilities', { capabilities }],
    ['migrate-incoming', { uri: STATE_URI }],
    ['cont', {}],
  ]);
}

export function marker(): Command {
  return ['chardev-add', { id: LAUNCHED, backend: { type: 'null', data: {} } }];
}

const Chardevs = z.array(z.object({ label: z.string() }));

/** Whether a machine from a template was launched to the end. */
export async function wasLaunched(monitor: QmpClient): Promise<boolean> {
  const chardevs = await monitor.execute('query-chardev', {}, Chardevs);
  return chardevs.some(({ label }) => label === LAUNCHED);
}

async function openState(path: string): Promise<FileHandle> {
  try {
    // It can be the link in /proc to an open file.
    return await open(path, constants.O_RDONLY);
  } catch (error) {
    throw unusable(error);
  }
}

function unusable(cause: unknown): A3sError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new A3sError('template-unusable', `Cannot start from the template: ${why}`, { cause });
}
