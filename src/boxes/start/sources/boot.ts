/**
 * The source of a start that boots a microVM.
 *
 * @module
 */
import type { Box } from '../../record/box.ts';
import type { Services } from '../../services/services.ts';
import type { Found } from '../describe-vm.ts';
import { acquireVm, type LaunchHost } from '../launch-vm.ts';
import type { Acquired, StartSource } from '../source.ts';

/** What a boot needs of the server. */
export type BootHost = LaunchHost & Pick<Services, 'startTimeoutMs'>;

export class BootSource implements StartSource {
  readonly #rt: BootHost;
  readonly #box: Box;
  readonly #found: Found;

  constructor(rt: BootHost, box: Box, found: Found) {
    this.#rt = rt;
    this.#box = box;
    this.#found = found;
  }

  acquire(openOutput: () => Promise<number>): Promise<Acquired> {
    return acquireVm(this.#rt, this.#box, this.#found, undefined, openOutput);
  }

  async onFailure(): Promise<'fail'> {
    return 'fail';
  }
}
