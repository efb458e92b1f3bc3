/**
 * Makes a template: boots a VM, lets the caller prepare its guest, stops it and saves it.
 *
 * Its RAM is the request's file itself. Only the devices' state is written.
 *
 * @module
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { deadline, whenAborted } from '../../deadline.ts';
import { TEMPLATE_SLOTS } from '../../vm/slots.ts';
import type { TemplateRequest } from '../../vm/template.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { startVmm } from '../boot/vmm.ts';
import type { VmmPlan } from '../command-line/arguments.ts';
import { STATE_URI } from '../command-line/descriptor-sets.ts';
import { VmEvents } from '../monitor/events.ts';
import { executeAll } from '../monitor/execute-all.ts';
import type { QmpClient, QmpEvent } from '../monitor/qmp.ts';
import { QemuVm } from '../vm.ts';

const SAVE_MS = 30_000;
/** Every state begins with these bytes. */
const MAGIC = 'QEVM';

const Migration = z.object({ status: z.string() });

/** On failure processes may be left. The caller ends them, by the runtime directory. */
export async function saveTemplate(
  request: TemplateRequest,
  host: Pick<VmmPlan, 'accelerator' | 'growthBytes' | 'tscKhz'> & { readonly memoryBytes: number },
  signal: AbortSignal,
): Promise<void> {
  const { memoryBytes, ...machine } = host;
  // QEMU uses a descriptor only for the access that it was opened with.
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  const state = await open(request.devicePath, flags, 0o600);
  try {
    const events = new VmEvents();
    const saved = new Saved();
    const spec = vmSpecOf(request, memoryBytes);
    const { monitor, helper, process } = await startVmm(
      { spec, ...machine, start: 'save' },
      { ram: request.ram, state: state.fd },
      (event) => {
        events.receive(event);
        saved.receive(event);
      },
      signal,
    );
    const { id, runtimeDir } = request;
    const vm = new QemuVm({ id, runtimeDir, vmm: process, monitor, helpers: [helper] });
    events.forward(vm);
    try {
      await executeAll(monitor, [['cont', {}]]);
      await Promise.race([prepare(request, vm, signal), gone(vm), whenAborted(signal)]);
      await executeAll(monitor, [['stop', {}]]);
      await save(monitor, saved, signal);
    } finally {
      await vm.kill();
    }
    // The state is on the disk before the caller gets it.
    await state.sync();
    await checkState(request.devicePath);
  } finally {
    await state.close();
  }
}

function vmSpecOf(request: TemplateRequest, memoryBytes: number): VmSpec {
  const { id, runtimeDir, identity, shape, writableLayerPath } = request;
  return {
    id,
    runtimeDir,
    identity,
    ...shape,
    memoryBytes,
    disks: [{ path: writableLayerPath, serial: TEMPLATE_SLOTS.changes, readonly: false }],
    nic: undefined,
    shares: [],
  };
}

async function prepare(request: TemplateRequest, vm: QemuVm, signal: AbortSignal): Promise<void> {
  await request.prepare(vm, signal);
  await vm.resetControl(signal);
}

async function gone(vm: QemuVm): Promise<never> {
  const { reason, detail } = await vm.exited;
  throw new A3sError('vmm-failed', `The template's microVM ended (${reason}) ${detail}`.trim());
}

async function save(monitor: QmpClient, saved: Saved, signal: AbortSignal): Promise<void> {
  const capabilities = ['x-ignore-shared', 'events'].map((capability) => {
    return { capability, state: true };
  });
  await executeAll(monitor, [
    ['migrate-set-capabilities', { capabilities }],
    ['migrate', { uri: STATE_URI }],
  ]);
  const late = deadline(SAVE_MS, 'vmm-failed', 'QEMU did not save the microVM');
  await Promise.race([
    saved.done,
    whenAborted(AbortSignal.any([signal, late])),
    monitorClosed(monitor),
  ]);
}

/** Learns from the monitor's events when the state is written. */
class Saved {
  readonly done: Promise<void>;
  #resolveStatus: (status: string) => void = () => undefined;

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.#resolveStatus = (status) => {
        if (status === 'completed') resolve();
        else reject(new A3sError('vmm-failed', `The microVM could not be saved: ${status}`));
      };
    });
    this.done.catch(() => undefined);
  }

  receive(event: QmpEvent): void {
    if (event.name !== 'MIGRATION') return;
    const status = Migration.safeParse(event.data).data?.status ?? 'unknown';
    if (['completed', 'failed', 'cancelled', 'unknown'].includes(status))
      this.#resolveStatus(status);
  }
}

async function monitorClosed(monitor: QmpClient): Promise<never> {
  await monitor.closed;
  throw new A3sError('vmm-failed', 'The VMM ended while it was saved');
}

async function checkState(path: string): Promise<void> {
  const state = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { buffer } = await state.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0);
    if (buffer.toString('latin1') === MAGIC) return;
  } finally {
    await state.close();
  }
  throw new A3sError('vmm-failed', 'QEMU wrote no state of the microVM');
}
