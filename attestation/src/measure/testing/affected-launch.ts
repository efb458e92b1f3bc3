/**
 * The launches of advisory A3S-2026-0001, by the figures of their files: firmware that runs any
 * kernel that its host names.
 *
 * @module
 */
import type { LaunchInputs } from '../inputs.ts';
import { bytes, MILAN_SECTIONS } from './known-launches.ts';

const COMMAND_LINE =
  'console=tty0 quiet reboot=t panic=-1 tsc=reliable cryptomgr.notests=1 no_timer_check noautogroup lsm=landlock,lockdown,yama GODEBUG=asyncpreemptoff=1';

/** A launch of that boot set. */
export function affectedLaunch(tee: 'snp' | 'simulated', vcpus: number): LaunchInputs {
  return {
    vmm: 'qemu',
    ovmf: {
      hash: bytes(
        '2ae20796067f2a09e11a8f2ae21cb4f039cb5fbaa4b56b570a02d62fdca3f3d454b6516dc229e711abca02a7c594805f',
      ),
      sections: MILAN_SECTIONS,
      hashTableGpa: 0x810c00,
      resetEip: 0x80b004,
    },
    kernel: { sha256: bytes('fd09ba2d352b222ed9dc5e5446d434b821d5b7eae0ba030cdd078e903a85cfb9') },
    initrd: { sha256: bytes('86e0d9a1c8ea3e4f3742949af09e462b739e8d9c8e5824d3f2539430f968ce0e') },
    append: `${COMMAND_LINE} a3s.tee=${tee}`,
    vcpus,
    vcpuType: 'EPYC-Milan-v2',
  };
}
