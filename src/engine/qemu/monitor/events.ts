/**
 * Collects the monitor's events until a VM exists to receive them.
 *
 * @module
 */
import * as z from 'zod';
import type { QemuVm } from '../vm.ts';
import type { QmpEvent } from './qmp.ts';

const Shutdown = z.object({ reason: z.string() });

/**
 * Receives a monitor's events, and passes the end of the guest on, at once or as soon as the VM is
 * known.
 */
export class VmEvents {
  #vm: QemuVm | undefined;
  #end: string | undefined;

  receive(event: QmpEvent): void {
    // A monitor that breaks meanwhile ends the VM by itself.
    if (event.name === 'STOP') this.#vm?.halted().catch(() => undefined);
    if (event.name === 'GUEST_PANICKED') this.#ended('guest-panic');
    if (event.name !== 'SHUTDOWN') return;
    this.#ended(Shutdown.safeParse(event.data).data?.reason ?? 'no reason');
  }

  forward(vm: QemuVm): void {
    this.#vm = vm;
    if (this.#end !== undefined) void vm.stopped(this.#end);
  }

  #ended(reason: string): void {
    this.#end ??= reason;
    void this.#vm?.stopped(reason);
  }
}
