/**
 * The page of boot parameters that libkrun writes for Linux, and that its launch digest covers.
 *
 * Offsets: Linux `Documentation/arch/x86/{zero-page,boot}.rst`. Values: libkrun.
 *
 * @module
 */
import { PAGE_SIZE } from './launch-digest.ts';

export interface BootParams {
  /** MiB. */
  readonly ramMib: number;
  readonly vcpus: number;
  readonly initrdAddress: number;
  /** Bytes. */
  readonly initrdSize: number;
}

/** Memory above this address is moved to 4 GiB, to leave room for devices. */
export const KRUN_MMIO_START = 0xd000_0000;

const CMDLINE_ADDRESS = 0x20000;
const CMDLINE_SIZE = 0x200;
const EBDA_START = 0x9fc00;
const HIGH_MEMORY = 0x10_0000;
const FOUR_GIB = 0x1_0000_0000;

const E820_RAM = 1;
const E820_TABLE = 0x2d0;
const E820_ENTRY_SIZE = 20;

interface Region {
  readonly start: number;
  readonly size: number;
}

/** 4096 bytes. */
export function bootParamsPage(params: BootParams): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE);
  const view = new DataView(page.buffer);
  // libkrun passes the number of vCPUs to its firmware in a field that Linux does not read.
  view.setUint32(0x1f4, params.vcpus, true); // syssize
  view.setUint16(0x1fe, 0xaa55, true); // boot_flag
  view.setUint32(0x202, 0x53726448, true); // header: "HdrS"
  view.setUint8(0x210, 0xff); // type_of_loader
  view.setUint32(0x218, params.initrdAddress, true); // ramdisk_image
  view.setUint32(0x21c, params.initrdSize, true); // ramdisk_size
  view.setUint32(0x228, CMDLINE_ADDRESS, true); // cmd_line_ptr
  view.setUint32(0x230, 0x0100_0000, true); // kernel_alignment
  view.setUint32(0x238, CMDLINE_SIZE, true); // cmdline_size
  const regions = memoryMap(params.ramMib);
  view.setUint8(0x1e8, regions.length); // e820_entries
  for (const [index, region] of regions.entries()) {
    const offset = E820_TABLE + index * E820_ENTRY_SIZE;
    view.setBigUint64(offset, BigInt(region.start), true);
    view.setBigUint64(offset + 8, BigInt(region.size), true);
    view.setUint32(offset + 16, E820_RAM, true);
  }
  return page;
}

/** libkrun counts the last region one byte too long; the digest has it so. */
function memoryMap(ramMib: number): readonly Region[] {
  const ram = ramMib * 1024 * 1024;
  const low = { start: 0, size: EBDA_START };
  if (ram < KRUN_MMIO_START) {
    return [low, { start: HIGH_MEMORY, size: ram - HIGH_MEMORY + 1 }];
  }
  const middle = { start: HIGH_MEMORY, size: KRUN_MMIO_START - HIGH_MEMORY };
  if (ram === KRUN_MMIO_START) return [low, middle];
  return [low, middle, { start: FOUR_GIB, size: ram - KRUN_MMIO_START + 1 }];
}
