/**
 * The program of a self-test: it prints a line, and exits with a status that nothing else gives.
 *
 * @module
 */
import type { GuestArchitecture } from '../../engine/vm/guest-boot.ts';

/** What it prints. */
export const SELF_TEST_LINE = 'a3s-box self-test\n';
/** What it exits with. */
export const SELF_TEST_STATUS = 7;

const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
const CODE_AT = ELF_HEADER + PROGRAM_HEADER;
const ADDRESS = 0x40_0000;
/** The largest page of a guest's kernel. */
const ALIGNMENT = 0x1_0000;

interface Machine {
  /** `e_machine` of ELF. */
  readonly number: number;
  /** `write(1, line, bytes)` of the line that follows it, and `exit_group(status)`. */
  code(bytes: number, status: number): Buffer;
}

const X86_64: Machine = {
  number: 62,
  code: (bytes, status) =>
    Buffer.from([
      ...[0xb8, 1, 0, 0, 0], // mov eax, write
      ...[0xbf, 1, 0, 0, 0], // mov edi, 1
      ...[0x48, 0x8d, 0x35, 19, 0, 0, 0], // lea rsi, [rip + 19]: the end of the code
      ...[0xba, bytes, 0, 0, 0], // mov edx, bytes
      ...[0x0f, 0x05], // syscall
      ...[0xb8, 231, 0, 0, 0], // mov eax, exit_group
      ...[0xbf, status, 0, 0, 0], // mov edi, status
      ...[0x0f, 0x05], // syscall
    ]),
};

const AARCH64: Machine = {
  number: 183,
  code: (bytes, status) => {
    const move = (register: number, value: number): number =>
      (0xd280_0000 | (value << 5) | register) >>> 0;
    const call = 0xd400_0001; // svc #0
    const instructions = [
      move(0, 1),
      0x1000_00e1, // adr x1, pc + 28: the end of the code
      move(2, bytes),
      move(8, 64), // write
      call,
      move(0, status),
      move(8, 94), // exit_group
      call,
    ];
    const code = Buffer.alloc(4 * instructions.length);
    for (const [index, word] of instructions.entries()) code.writeUInt32LE(word, 4 * index);
    return code;
  },
};

const MACHINES: Readonly<Record<GuestArchitecture, Machine>> = { amd64: X86_64, arm64: AARCH64 };

/** @returns an ELF file that needs no other file */
export function selfTestProgram(architecture: GuestArchitecture): Buffer {
  const machine = MACHINES[architecture];
  const line = Buffer.from(SELF_TEST_LINE);
  const code = machine.code(line.length, SELF_TEST_STATUS);
  const file = Buffer.concat([Buffer.alloc(CODE_AT), code, line]);
  file.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(machine.number, 18);
  file.writeUInt32LE(1, 20);
  file.writeUInt32LE(ADDRESS + CODE_AT, 24); // entry
  file.writeUInt32LE(ELF_HEADER, 32); // of the program header
  file.writeUInt16LE(ELF_HEADER, 52);
  file.writeUInt16LE(PROGRAM_HEADER, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt16LE(64, 58); // of a section header; there are none
  file.writeUInt32LE(1, ELF_HEADER); // PT_LOAD
  file.writeUInt32LE(5, ELF_HEADER + 4); // read and execute
  file.writeUInt32LE(ADDRESS, ELF_HEADER + 16);
  file.writeUInt32LE(ADDRESS, ELF_HEADER + 24);
  file.writeUInt32LE(file.length, ELF_HEADER + 32);
  file.writeUInt32LE(file.length, ELF_HEADER + 40);
  file.writeUInt32LE(ALIGNMENT, ELF_HEADER + 48);
  return file;
}
