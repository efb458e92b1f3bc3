/**
 * The source of a start that boots a microVM.
 *
 * @module
 */
import type { Box } from '../../record/box.ts';
import type { Found } from '../describe.ts';
import { type LaunchHost, launchVm } from '../launch-vm.ts';
import type { Acquired, StartSource } from '../source.ts';

export class BootSource implements StartSource {
  readonly #rt: LaunchHost;
  readonly #box: Box;
  readonly #found: Found;

  constructor(rt: LaunchHost, box: Box, found: Found) {
    this.#rt = rt;
    this.#box = box;
    this.#found = found;
  }

  async acquire(openOutput: () => Promise<number>): Promise<Acquired> {
    const opened = openOutput();
    const launched = await launchVm(this.#rt, this.#box, this.#found, undefined);
    const { vm, spec, durable } = launched;
    return {
      vm,
      handOver: async (running) => {
        const guest = await running.guest();
        await guest.putSpec(spec, running.signal);
        return { guest, offset: await opened, durable };
      },
    };
  }

  async onFailure(): Promise<'fail'> {
    return 'fail';
  }
}
