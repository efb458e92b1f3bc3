/**
 * ACPI tables for a guest of libkrun, which gives its guests none.
 *
 * On x86-64, libkrun 1.19.0 describes processors and the interrupt controller in MP tables, and its
 * virtio-mmio devices on the kernel's command line. Debian's cloud kernel is compiled to read
 * neither. It reads ACPI tables wherever it finds them below 1 MiB.
 *
 * @module
 */
import { KRUN_CPUS } from '../../engine-name.ts';
import * as aml from './aml.ts';

/** Where they lie in the guest's memory: the first place where a kernel looks for them. */
export const TABLES_ADDRESS = 0xe0000;

interface Slot {
  readonly base: number;
  readonly length: number;
  readonly line: number;
}

/**
 * Where libkrun puts its devices, in the order in which it makes them: the interrupt lines from 5
 * to 15.
 */
const LIBKRUN: readonly Slot[] = Array.from({ length: 11 }, (_, n) => ({
  ...{ base: 0xd000_0000 + n * 0x1000, length: 0x1000, line: 5 + n },
}));

/** Where QEMU's machine `microvm` has them, in which the library of the tests boots. */
const MICROVM: readonly Slot[] = Array.from({ length: 8 }, (_, n) => ({
  ...{ base: 0xfeb0_0000 + n * 0x200, length: 0x200, line: 5 + n },
}));

/**
 * Each is said to be there: the driver of virtio-mmio looks at the registers of a device, and
 * leaves one that has none. The tables do not look, since the kernel would keep the registers
 * mapped as memory that may be cached, and refuse them to the driver. libkrun leaves what it
 * answers unset where it has no device, so that the value of the read or write before appears: the
 * driver reads two registers, which cannot both be right then.
 */
function virtioDevice({ base, length, line }: Slot, index: number): Buffer {
  return aml.device(
    `V${index.toString(16).toUpperCase().padStart(3, '0')}`,
    aml.value('_HID', 'LNRO0005'),
    aml.value('_UID', index),
    aml.value('_CCA', 1),
    aml.value('_CRS', aml.resources(aml.memory(base, length), aml.interrupt(line))),
  );
}

function serialPort(): Buffer {
  return aml.device(
    'COM1',
    aml.value('_HID', aml.eisaId('PNP0501')),
    aml.value('_UID', 1),
    aml.value('_CRS', aml.resources(aml.ports(0x3f8, 8), aml.interrupt(4))),
  );
}

/** A table with its header, section 5.2.6. */
function table(signature: string, revision: number, body: Buffer): Buffer {
  const whole = Buffer.concat([Buffer.alloc(36), body]);
  whole.write(signature, 0, 'latin1');
  whole.writeUInt32LE(whole.length, 4);
  whole.writeUInt8(revision, 8);
  whole.write('A3SBOXA3SKRUN ', 10, 'latin1');
  whole.writeUInt32LE(1, 24);
  whole.write('A3S ', 28, 'latin1');
  whole.writeUInt32LE(1, 32);
  setChecksum(whole, 9);
  return whole;
}

/** All bytes then have the sum 0. */
function setChecksum(part: Buffer, at: number): void {
  const sum = part.reduce((total, byte) => total + byte, 0);
  part.writeUInt8(-sum & 0xff, at);
}

/**
 * Section 5.2.9. The hardware is of the kind without fixed registers ("reduced"): libkrun has none,
 * and the kernel then uses no timer and no interrupt controller of a PC.
 */
function fixedHardware(dsdt: number): Buffer {
  const NO_VGA = 1 << 2;
  const NO_CLOCK = 1 << 5;
  const REDUCED = 1 << 20;
  const NO_POWER_BUTTON = 1 << 4;
  const NO_SLEEP_BUTTON = 1 << 5;
  const HEADER = 36;
  const body = Buffer.alloc(276 - HEADER);
  body.writeUInt32LE(dsdt, 40 - HEADER);
  body.writeUInt16LE(NO_VGA | NO_CLOCK, 109 - HEADER);
  body.writeUInt32LE(REDUCED | NO_POWER_BUTTON | NO_SLEEP_BUTTON, 112 - HEADER);
  body.writeUInt8(5, 131 - HEADER);
  body.writeBigUInt64LE(BigInt(dsdt), 140 - HEADER);
  return table('FACP', 6, body);
}

/**
 * Processors and their interrupt controllers, section 5.2.12. The kernel uses as many of the
 * processors as its command line says.
 */
function interruptControllers(): Buffer {
  const entries: Buffer[] = [];
  const entry = (type: number, length: number): Buffer => {
    const made = Buffer.alloc(length);
    made.writeUInt8(type, 0);
    made.writeUInt8(length, 1);
    entries.push(made);
    return made;
  };
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0xfee0_0000, 0);
  for (let cpu = 0; cpu < KRUN_CPUS; cpu++) {
    const local = entry(0, 8);
    local.writeUInt8(cpu, 2);
    local.writeUInt8(cpu, 3);
    local.writeUInt32LE(1, 4);
  }
  entry(1, 12).writeUInt32LE(0xfec0_0000, 4);
  return table('APIC', 5, Buffer.concat([header, ...entries]));
}

/** All tables, for `TABLES_ADDRESS`. */
export function acpiTables(): Buffer {
  const parts: Buffer[] = [Buffer.alloc(64)];
  let length = 64;
  const place = (part: Buffer): number => {
    const address = TABLES_ADDRESS + length;
    const padded = Buffer.concat([part, Buffer.alloc(-part.length & 15)]);
    parts.push(padded);
    length += padded.length;
    return address;
  };
  const devices = [...LIBKRUN, ...MICROVM].map(virtioDevice);
  const dsdt = place(table('DSDT', 2, aml.scope('\\_SB_', serialPort(), ...devices)));
  const lists = [place(fixedHardware(dsdt)), place(interruptControllers())];
  const addresses = Buffer.alloc(lists.length * 8);
  for (const [n, address] of lists.entries()) addresses.writeBigUInt64LE(BigInt(address), n * 8);
  const root = place(table('XSDT', 1, addresses));
  const whole = Buffer.concat(parts);
  rootPointer(root).copy(whole);
  return whole;
}

/** What a kernel looks for, section 5.2.5.3. */
function rootPointer(root: number): Buffer {
  const pointer = Buffer.alloc(36);
  pointer.write('RSD PTR ', 0, 'latin1');
  pointer.write('A3SBOX', 9, 'latin1');
  pointer.writeUInt8(2, 15);
  pointer.writeUInt32LE(pointer.length, 20);
  pointer.writeBigUInt64LE(BigInt(root), 24);
  setChecksum(pointer.subarray(0, 20), 8);
  setChecksum(pointer, 32);
  return pointer;
}
