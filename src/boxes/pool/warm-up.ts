/**
 * The spec and the disk with which a pool's microVM is warmed up: the smallest possible box, which
 * no user owns.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import type { Disk } from '../../engine/vm/devices.ts';
import { TEMPLATE_SLOTS } from '../../engine/vm/slots.ts';
import { writeProgramDisk } from '../disks/program-disk.ts';
import { NO_LIMITS } from '../record/limits.ts';
import { NO_NAMES } from '../record/names.ts';
import { NO_SECURITY } from '../record/security.ts';
import { specDocument } from '../spec/box-spec.ts';
import { guestNic } from '../spec/network.ts';
import { warmUpProgram } from './warm-up-program.ts';

/** The last slot is the one that boxes need the least. */
const SLOT = TEMPLATE_SLOTS.layers[6];
const PROGRAM = 'true';
/** The usual PATH of images. The program is in the last directory of it. */
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
export const WARM_UP_MAC = '02:00:00:00:00:01';

/** The disk, in the last slot of the microVM. */
export function warmUpDisk(path: string): Disk {
  return { path, serial: SLOT, readonly: true };
}

/** Writes the disk: one program, and the files of users and groups. */
export async function writeWarmUpDisk(path: string): Promise<void> {
  await writeProgramDisk(path, PROGRAM, warmUpProgram());
}

/** The spec that the guest gets. It resembles an ordinary box's spec as far as possible. */
export function warmUpSpec(network: 'default' | 'none'): BoxSpec {
  const definition = {
    ...{ hostname: 'warm-up', entrypoint: [], cmd: [PROGRAM], env: [PATH] },
    ...{ cwd: '/', user: '', terminal: false, openStdin: false, memoryBytes: 0, nanoCpus: 0 },
    limits: NO_LIMITS,
    security: NO_SECURITY,
  };
  return specDocument(definition, {
    layers: [{ serial: SLOT }],
    changes: { kind: 'disk', serial: TEMPLATE_SLOTS.changes },
    mounts: [],
    network: network === 'none' ? { kind: 'none' } : guestNic(WARM_UP_MAC, NO_NAMES),
  });
}
