/**
 * The little of ELF (64 bit, little-endian) that boot artefacts are checked by.
 *
 * @module
 */

const HEADER_BYTES = 64;
const PT_NOTE = 4;
const NOTE_HEADER_BYTES = 12;
/** Xen's note for the entry point of the PVH boot protocol, by which QEMU starts an ELF kernel. */
const PVH_NOTE = { name: 'Xen\0', type: 18 } as const;

/** Throws `RangeError` unless `bytes` starts like an ELF file of this kind. */
export function checkElf(bytes: Buffer): void {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== 0x7f454c46) {
    throw new RangeError('it is no ELF file');
  }
  if (bytes.readUInt8(4) !== 2 || bytes.readUInt8(5) !== 1) {
    throw new RangeError('it is no ELF file of 64 bits, little-endian');
  }
}

/** Whether an ELF file has the PVH entry point. Throws `RangeError` where the file is malformed. */
export function hasPvhEntry(elf: Buffer): boolean {
  checkElf(elf);
  const table = u64(elf, 32);
  const size = elf.readUInt16LE(54);
  const count = elf.readUInt16LE(56);
  for (let i = 0; i < count; i++) {
    const header = table + i * size;
    if (elf.readUInt32LE(header) !== PT_NOTE) continue;
    const start = u64(elf, header + 8);
    const notes = elf.subarray(start, start + u64(elf, header + 32));
    if (notesHold(notes)) return true;
  }
  return false;
}

function notesHold(notes: Buffer): boolean {
  let at = 0;
  while (at + NOTE_HEADER_BYTES <= notes.length) {
    const nameSize = notes.readUInt32LE(at);
    const dataSize = notes.readUInt32LE(at + 4);
    const type = notes.readUInt32LE(at + 8);
    const name = notes.subarray(at + NOTE_HEADER_BYTES, at + NOTE_HEADER_BYTES + nameSize);
    if (type === PVH_NOTE.type && name.toString('latin1') === PVH_NOTE.name) return true;
    at += NOTE_HEADER_BYTES + align4(nameSize) + align4(dataSize);
  }
  return false;
}

const DT_NEEDED = 1n;
const DYNAMIC_ENTRY_BYTES = 16;

/** The libraries that an ELF file asks for by name; none of a file that is no ELF, or is static. */
export function elfNeeded(bytes: Buffer): readonly string[] {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== 0x7f454c46) return [];
  const dynamic = elfSection(bytes, '.dynamic');
  const names = elfSection(bytes, '.dynstr');
  if (dynamic === undefined || names === undefined) return [];
  const needed: string[] = [];
  for (let at = 0; at + DYNAMIC_ENTRY_BYTES <= dynamic.length; at += DYNAMIC_ENTRY_BYTES) {
    if (dynamic.readBigInt64LE(at) !== DT_NEEDED) continue;
    const start = Number(dynamic.readBigUInt64LE(at + 8));
    needed.push(names.subarray(start, names.indexOf(0, start)).toString('latin1'));
  }
  return needed;
}

/** The contents of the section of this name; undefined when there is none. */
export function elfSection(elf: Buffer, wanted: string): Buffer | undefined {
  checkElf(elf);
  const table = u64(elf, 40);
  const size = elf.readUInt16LE(58);
  const count = elf.readUInt16LE(60);
  const names = sectionData(elf, table + elf.readUInt16LE(62) * size);
  for (let i = 0; i < count; i++) {
    const header = table + i * size;
    const start = elf.readUInt32LE(header);
    const end = names.indexOf(0, start);
    if (names.subarray(start, end).toString('latin1') === wanted) return sectionData(elf, header);
  }
  return undefined;
}

function sectionData(elf: Buffer, header: number): Buffer {
  const start = u64(elf, header + 24);
  return elf.subarray(start, start + u64(elf, header + 32));
}

function u64(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(bytes.length)) throw new RangeError('it points outside of itself');
  return Number(value);
}

function align4(size: number): number {
  return (size + 3) & ~3;
}
