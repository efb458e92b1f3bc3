/**
 * The stub kernel of a VM that starts from saved RAM.
 *
 * QEMU loads a kernel before it loads a VM's state, whose RAM already contains one. Loading the
 * real one, which is then overwritten, would read its 57 MB for every box, and keep them.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Inside every VM's RAM, and where nothing of the firmware is. */
const ENTRY = 0x100_0000n;
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
const LOAD = 1;
const NOTE = 4;
/** An endless loop of `hlt`. */
const CODE = Buffer.from([0xf4, 0xeb, 0xfd, 0x90]);
/** `XEN_ELFNOTE_PHYS32_ENTRY`: a kernel that is entered by way of PVH. */
const PVH_NOTE = 18;

/**
 * The smallest 64-bit ELF file that QEMU accepts as a kernel: one segment, and the note with its
 * entry point.
 */
export function stubKernel(): Buffer {
  const note = Buffer.alloc(20);
  for (const [index, value] of [4, 4, PVH_NOTE].entries()) note.writeUInt32LE(value, index * 4);
  note.write('Xen\0', 12, 'latin1');
  note.writeUInt32LE(Number(ENTRY), 16);
  const codeAt = ELF_HEADER + 2 * PROGRAM_HEADER;
  return Buffer.concat([
    elfHeader(2),
    programHeader(LOAD, codeAt, ENTRY, CODE.length),
    programHeader(NOTE, codeAt + CODE.length, 0n, note.length),
    CODE,
    note,
  ]);
}

/**
 * @returns the file, which has no name any more; any process that is passed the descriptor can read
 * it
 */
export async function openStubKernel(directory: string): Promise<FileHandle> {
  const own = await mkdtemp(join(directory, '.stub-'));
  try {
    const path = join(own, 'kernel');
    const writer = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
    try {
      await writer.writeFile(stubKernel());
      await writer.chmod(0o444);
    } finally {
      await writer.close();
    }
    return await open(path, constants.O_RDONLY);
  } finally {
    await rm(own, { recursive: true });
  }
}

function elfHeader(segments: number): Buffer {
  const header = Buffer.alloc(ELF_HEADER);
  header.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(62, 18); // x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(ENTRY, 24);
  header.writeBigUInt64LE(BigInt(ELF_HEADER), 32);
  header.writeUInt16LE(ELF_HEADER, 52);
  header.writeUInt16LE(PROGRAM_HEADER, 54);
  header.writeUInt16LE(segments, 56);
  header.writeUInt16LE(64, 58); // of a section header; there are none
  return header;
}

function programHeader(type: number, offset: number, address: bigint, length: number): Buffer {
  const header = Buffer.alloc(PROGRAM_HEADER);
  header.writeUInt32LE(type, 0);
  header.writeUInt32LE(5, 4); // read and execute
  header.writeBigUInt64LE(BigInt(offset), 8);
  header.writeBigUInt64LE(address, 16);
  header.writeBigUInt64LE(address, 24);
  header.writeBigUInt64LE(BigInt(length), 32);
  header.writeBigUInt64LE(BigInt(length), 40);
  header.writeBigUInt64LE(4n, 48);
  return header;
}
