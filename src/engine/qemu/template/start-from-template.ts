/**
 * One launch from a template: the VMM starts with the box's disks in its slots, gets a network card
 * whose backend is the translator, loads the devices' state over the template's RAM, and runs.
 * Devices that have no slot are attached while the guest already runs.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import * as z from 'zod';
import { settleOrAbort } from '../../../async/settle-all.ts';
import { A3sError } from '../../../errors.ts';
import { whenAborted } from '../../deadline.ts';
import type { Helper } from '../../helpers/helper.ts';
import { startTranslator } from '../../helpers/passt.ts';
import { fileServers, shareSocket, startVirtiofsd } from '../../helpers/virtiofsd.ts';
import type { Template } from '../../vm/template.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { type StartedVmm, startVmm } from '../boot/vmm.ts';
import type { VmmPlan } from '../command-line/arguments.ts';
import { STATE_URI } from '../command-line/descriptor-sets.ts';
import { type Command, placedDisks, placedShares } from '../command-line/devices.ts';
import { hasSharedRam } from '../command-line/shared-ram.ts';
import { extraSlots } from '../command-line/slots.ts';
import { loadedCard } from '../command-line/template-devices.ts';
import { VmEvents } from '../monitor/events.ts';
import { executeAll } from '../monitor/execute-all.ts';
import type { QmpClient } from '../monitor/qmp.ts';
import { QemuVm } from '../vm.ts';
import { growthCommands } from './memory-growth.ts';
import { privateRam } from './ram-copy.ts';

/** The presence of this backend says that a launch from a template was completed. */
export const LAUNCHED = 'launched';

/** A plan whose VM has a template. */
export type TemplateStartPlan = VmmPlan & {
  readonly spec: VmSpec & { readonly template: Template };
};

/**
 * On failure processes may be left. The caller ends them, by the runtime directory.
 *
 * @param kernel descriptor of the stub
 * @throws A3sError `template-unusable` where the template caused the failure, or may have
 */
export async function startFromTemplate(
  plan: TemplateStartPlan,
  kernel: number,
  signal: AbortSignal,
): Promise<QemuVm> {
  const { spec } = plan;
  const { id, runtimeDir, shares } = spec;
  const slots = extraSlots(spec);
  if (slots === undefined) {
    throw new A3sError('invalid-argument', 'Cannot start from a template: too many disks');
  }
  const growth = growthCommands(plan);
  // Nothing is attached while the state is loaded.
  const inRunning = growth.length + slots.disks.length + shares.length > 0;
  const events = new VmEvents();
  const [vmm, ...servers] = await settleOrAbort(signal, (waiting) => {
    const { started, spawned } = launchVmm(plan, kernel, events, waiting);
    // Awaited after the VMM, which takes longest.
    const second = spawned.then(() => waiting.throwIfAborted());
    const translator = second.then(() => Promise.all(startTranslator(spec, waiting)));
    const files = shares.map((share, index) =>
      second.then(() => startVirtiofsd(share, index, fileServers(spec), waiting)),
    );
    second.catch(() => undefined);
    const ready = started.then(async (launched) => {
      const { monitor } = launched;
      await attachCard(launched, spec, translator, waiting);
      const running = run(launched, waiting);
      const queued = executeAll(monitor, inRunning ? [] : [marker()]);
      // QEMU's message about a failed load comes first.
      queued.catch(() => undefined);
      await running;
      if (inRunning) {
        const sockets = shares.map((_, index) => shareSocket(runtimeDir, index));
        await Promise.all([
          executeAll(monitor, [...growth, ...placedDisks(spec, slots.disks)]),
          Promise.all(files).then(() =>
            executeAll(monitor, placedShares(spec, slots.shares, sockets)),
          ),
          queued,
        ]);
        await executeAll(monitor, [marker()]);
      }
      await queued;
      return launched;
    });
    return [ready, translator, ...files.map((file) => file.then((server) => [server]))];
  });
  const { monitor, helper, process } = vmm;
  if (signal.aborted) monitor.close();
  signal.throwIfAborted();
  const helpers: Helper[] = [helper, ...servers.flat()];
  const vm = new QemuVm({ id, runtimeDir, vmm: process, monitor, helpers });
  events.forward(vm);
  return vm;
}

/** A card needs what takes its frames before the state is loaded. */
async function attachCard(
  { monitor, helper }: StartedVmm,
  { nic, runtimeDir }: Pick<VmSpec, 'nic' | 'runtimeDir'>,
  translator: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await translator;
    await executeAll(monitor, loadedCard(nic, runtimeDir));
  } catch (error) {
    monitor.close();
    // Also where the translator failed, which is no fault of the template.
    signal.throwIfAborted();
    throw templateFailure((await helper.lastWords()) ?? error, signal);
  }
}

/** A VMM that is about to load a state. */
interface Started extends StartedVmm {
  /** Resolves when its guest runs. */
  readonly runs: Promise<void>;
}

/** `spawned` resolves when the VMM's process exists, or will not exist. */
function launchVmm(
  plan: TemplateStartPlan,
  kernel: number,
  events: VmEvents,
  signal: AbortSignal,
): { started: Promise<Started>; spawned: Promise<void> } {
  let markSpawned = (): void => undefined;
  const spawned = new Promise<void>((resolve) => {
    markSpawned = resolve;
  });
  const started = launch(plan, { kernel, events, spawned: markSpawned }, signal).finally(
    markSpawned,
  );
  return { started, spawned };
}

/** Starts a VMM that takes commands and has the RAM. */
async function launch(
  plan: TemplateStartPlan,
  { kernel, events, spawned }: { kernel: number; events: VmEvents; spawned: () => void },
  signal: AbortSignal,
): Promise<Started> {
  const { template, identity } = plan.spec;
  const state = await openState(template.devicePath);
  const copy = hasSharedRam(plan.spec) ? await privateRam(template, identity) : undefined;
  let resumed = (): void => undefined;
  const runs = new Promise<void>((resolve) => {
    resumed = resolve;
  });
  try {
    const ram = copy?.file.fd ?? template.ram;
    const vmm = await startVmm(
      plan,
      { kernel, ram, state: state.fd },
      (event) => {
        if (event.name === 'RESUME') resumed();
        events.receive(event);
      },
      signal,
      spawned,
    );
    try {
      // Devices read the RAM when they are loaded.
      await copy?.filled;
    } catch (error) {
      vmm.monitor.close();
      throw error;
    }
    return { ...vmm, runs };
  } catch (error) {
    throw templateFailure(error, signal);
  } finally {
    await state.close();
    // The state is not read while it is written.
    await copy?.filled.catch(() => undefined);
    await copy?.file.close();
  }
}

/** Loads the state, and waits until the guest runs. */
async function run({ monitor, helper, runs }: Started, signal: AbortSignal): Promise<void> {
  try {
    await load(monitor);
    await Promise.race([runs, whenAborted(helper.ended), whenAborted(signal)]);
  } catch (error) {
    monitor.close();
    signal.throwIfAborted();
    throw templateFailure((await helper.lastWords()) ?? error, signal);
  }
}

/** The template counts as the cause unless another cause is certain. */
function templateFailure(error: unknown, signal: AbortSignal): unknown {
  signal.throwIfAborted();
  return error instanceof A3sError && error.code !== 'vmm-failed' ? error : unusable(error);
}

/** Sent together: QEMU takes `cont` while the state is loaded, and runs it afterwards. */
export async function load(monitor: QmpClient): Promise<void> {
  const capabilities = [{ capability: 'x-ignore-shared', state: true }];
  await executeAll(monitor, [
    ['migrate-set-capabilities', { capabilities }],
    ['migrate-incoming', { uri: STATE_URI }],
    ['cont', {}],
  ]);
}

export function marker(): Command {
  return ['chardev-add', { id: LAUNCHED, backend: { type: 'null', data: {} } }];
}

const Chardevs = z.array(z.object({ label: z.string() }));

/** Whether the launch of a VM from a template was completed. */
export async function wasLaunched(monitor: QmpClient): Promise<boolean> {
  const chardevs = await monitor.execute('query-chardev', {}, Chardevs);
  return chardevs.some(({ label }) => label === LAUNCHED);
}

async function openState(path: string): Promise<FileHandle> {
  try {
    // The path can be the link in /proc to an open file.
    return await open(path, constants.O_RDONLY);
  } catch (error) {
    throw unusable(error);
  }
}

function unusable(cause: unknown): A3sError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new A3sError('template-unusable', `Cannot start from the template: ${why}`, { cause });
}
