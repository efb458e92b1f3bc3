/**
 * A program that a host would have the guest's firmware run: an EFI program that writes one line to
 * the debug port.
 *
 * @module
 */

const EFI_APPLICATION = 10;
const EFI_DRIVER = 11;
const PAGE = 0x1000;
const FILE_ALIGNMENT = 0x200;
/** OVMF runs no driver of a ROM of 2 KiB, as this one would be. */
const ROM_BYTES = 64 * 1024;

/** A PE32+ image (UEFI 2.10, 2.1.1) that says `message` and returns EFI_UNSUPPORTED. */
export function efiProgram(message: string, subsystem: number = EFI_APPLICATION): Buffer {
  const text = Buffer.from(message);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const code = Buffer.concat([
    Buffer.from('56', 'hex'), // push rsi
    Buffer.from('488d351a000000', 'hex'), // lea rsi, [rip + 26]
    Buffer.from('ba02040000', 'hex'), // mov edx, 0x402
    Buffer.concat([Buffer.of(0xb9), length]), // mov ecx, length
    Buffer.from('f36e', 'hex'), // rep outsb
    Buffer.from('5e', 'hex'), // pop rsi
    Buffer.from('48b80300000000000080', 'hex'), // mov rax, EFI_UNSUPPORTED
    Buffer.from('c3', 'hex'), // ret
  ]);
  const messageAt = code.length;
  code.writeInt32LE(messageAt - 8, 4);
  return image(Buffer.concat([code, text]), subsystem);
}

function image(section: Buffer, subsystem: number): Buffer {
  const raw = Math.ceil(section.length / FILE_ALIGNMENT) * FILE_ALIGNMENT;
  const headers = Buffer.alloc(FILE_ALIGNMENT);
  headers.write('MZ', 0, 'latin1');
  headers.writeUInt32LE(0x80, 0x3c);
  headers.write('PE\0\0', 0x80, 'latin1');
  const coff = headers.subarray(0x84);
  coff.writeUInt16LE(0x8664, 0); // x86-64
  coff.writeUInt16LE(1, 2); // sections
  coff.writeUInt16LE(240, 16); // size of the optional header
  coff.writeUInt16LE(0x0022, 18); // executable, large addresses
  const optional = coff.subarray(20);
  optional.writeUInt16LE(0x20b, 0); // PE32+
  optional.writeUInt32LE(raw, 4); // size of code
  optional.writeUInt32LE(PAGE, 16); // entry point
  optional.writeUInt32LE(PAGE, 20); // base of code
  optional.writeUInt32LE(PAGE, 32); // section alignment
  optional.writeUInt32LE(FILE_ALIGNMENT, 36);
  optional.writeUInt32LE(2 * PAGE, 56); // size of the image
  optional.writeUInt32LE(FILE_ALIGNMENT, 60); // size of the headers
  optional.writeUInt16LE(subsystem, 68);
  optional.writeUInt32LE(16, 108); // data directories, all empty
  const table = optional.subarray(240);
  table.write('.text', 0, 'latin1');
  table.writeUInt32LE(PAGE, 8); // virtual size
  table.writeUInt32LE(PAGE, 12); // virtual address
  table.writeUInt32LE(raw, 16);
  table.writeUInt32LE(FILE_ALIGNMENT, 20); // where it lies in the file
  table.writeUInt32LE(0x60000020, 36); // code, executable, readable
  return Buffer.concat([headers, section, Buffer.alloc(raw - section.length)]);
}

/**
 * A PCI expansion ROM with that program as its driver (PCI Firmware 3.3, 5.1; UEFI 2.10, 14.4.2).
 */
export function optionRom(message: string, device: { vendor: number; device: number }): Buffer {
  const driver = efiProgram(message, EFI_DRIVER);
  const driverAt = 0x40;
  const size = Math.ceil((driverAt + driver.length) / 512) * 512;
  const rom = Buffer.alloc(ROM_BYTES, 0xff);
  rom.fill(0, 0, driverAt);
  rom.writeUInt16LE(0xaa55, 0);
  rom.writeUInt16LE(size / 512, 2);
  rom.writeUInt32LE(0x0ef1, 4); // EFI signature
  rom.writeUInt16LE(EFI_DRIVER, 8);
  rom.writeUInt16LE(0x8664, 10);
  rom.writeUInt16LE(driverAt, 0x16);
  rom.writeUInt16LE(0x1c, 0x18); // where the PCI data structure is
  const data = rom.subarray(0x1c);
  data.write('PCIR', 0, 'latin1');
  data.writeUInt16LE(device.vendor, 4);
  data.writeUInt16LE(device.device, 6);
  data.writeUInt16LE(0x18, 10); // its length
  data.writeUInt16LE(size / 512, 16);
  data[20] = 3; // EFI
  data[21] = 0x80; // the last image
  driver.copy(rom, driverAt);
  return rom;
}
