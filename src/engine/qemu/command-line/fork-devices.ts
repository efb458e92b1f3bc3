/**
 * The devices of a fork. From its first moment on it has every device of the saved VM in the same
 * place, whether the device was there from the start or attached later.
 *
 * @module
 */
import { A3sError } from '../../../errors.ts';
import type { OpenSavedVm, RamExtent, SavedVm } from '../../vm/saved-vm.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { asArguments, diskCommands, placedDisks } from './devices.ts';
import { extraSlots } from './slots.ts';
import { templateDevices } from './template-devices.ts';

/** Names of the blocks of RAM that forks map from the saved file. */
export const RAM_BLOCKS = { memory: 'memory', growth: 'growth' } as const;

/** @param ram descriptor of the file that RAM is mapped from */
export function forkMemory(
  { arrangement, memory, growth }: SavedVm,
  growthBytes: number,
  ram: number | undefined,
): string[] {
  const limits = arrangement === 'boot' ? '' : `,slots=1,maxmem=${growthBytes}B`;
  return [
    ...['-m', `size=${memory.bytes}B${limits}`],
    ...['-object', mapped(RAM_BLOCKS.memory, memory, ram)],
    ...(growth === undefined
      ? []
      : [
          ...['-object', mapped(RAM_BLOCKS.growth, growth, ram)],
          ...['-device', `pc-dimm,id=dimm0,memdev=${RAM_BLOCKS.growth}`],
        ]),
  ];
}

/** Only pages of the file that are written get copied. */
function mapped(id: string, { offset, bytes }: RamExtent, ram: number | undefined): string {
  const file = `mem-path=/proc/self/fd/${ram},offset=${offset}`;
  return `memory-backend-file,id=${id},size=${bytes}B,${file},share=off,readonly=on,rom=off,dump=off,merge=off`;
}

/** @throws A3sError `invalid-argument` where there are too many disks */
export function forkDevices(spec: VmSpec, { arrangement }: OpenSavedVm): string[] {
  if (arrangement === 'template') {
    const extra = extraSlots(spec);
    if (extra === undefined) {
      throw new A3sError('invalid-argument', 'Cannot start a fork: it has too many disks');
    }
    return [...templateDevices(spec), ...asArguments(placedDisks(spec, extra.disks))];
  }
  return asArguments(diskCommands(spec));
}
