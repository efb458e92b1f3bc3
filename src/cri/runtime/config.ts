/**
 * `RuntimeConfig` and `UpdateRuntimeConfig`.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { A3sError } from '../../errors.ts';
import type { Answer } from '../answer.ts';
import { CgroupDriver } from '../api/enums.ts';
import type * as cri from '../api/messages.ts';

/** There while systemd is process 1: sd_booted(3). */
const RUNNING_SYSTEMD = '/run/systemd/system';

/** Where systemd manages the control groups, nobody else does. */
export function runtimeConfig(): Answer<cri.RuntimeConfigResponse> {
  const { SYSTEMD, CGROUPFS } = CgroupDriver;
  return { linux: { cgroupDriver: existsSync(RUNNING_SYSTEMD) ? SYSTEMD : CGROUPFS } };
}

/** The addresses of the node's pods, which kubelet hands over; for `Status` to show. */
export class PodCidr {
  #value = '';

  /** Empty until kubelet sends it. */
  get value(): string {
    return this.#value;
  }

  /** @throws A3sError `invalid-argument` */
  update(request: cri.UpdateRuntimeConfigRequest): Answer<cri.UpdateRuntimeConfigResponse> {
    const podCidr = request.runtimeConfig?.networkConfig?.podCidr ?? '';
    // One of each family, where the cluster has both.
    if (podCidr !== '' && !podCidr.split(',').every(isSubnet)) {
      throw new A3sError('invalid-argument', `Cannot use ${podCidr} as the addresses of pods`, {
        remedy: 'Write subnets as ADDRESS/PREFIX, separated by commas.',
      });
    }
    this.#value = podCidr;
    return {};
  }
}

function isSubnet(text: string): boolean {
  const [address = '', prefix = '', ...more] = text.split('/');
  const family = isIP(address);
  const longest = family === 6 ? 128 : 32;
  return family !== 0 && more.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= longest;
}
