/**
 * The program of a warm-up: it makes the calls that the start of nearly every program makes, and
 * ends.
 *
 * Its file is large enough to be read from the disk in pieces, as the files of real programs are.
 *
 * @module
 */
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
const TEXT = 0x40_0000;
const TEXT_BYTES = 1 << 20;
const DATA = TEXT + TEXT_BYTES;
const DATA_BYTES = 0x4000;
/** The size of the data segment in memory: the data, and what is zero at first. */
const DATA_MEMORY = 0x2_0000;
const PAGE = 0x1000;

/** Numbers of the kernel's system calls. */
const CALL = {
  mmap: 9,
  mprotect: 10,
  munmap: 11,
  brk: 12,
  sigaction: 13,
  sigprocmask: 14,
  ioctl: 16,
  writev: 20,
  getpid: 39,
  uname: 63,
  readlink: 89,
  getuid: 102,
  prctl: 157,
  archPrctl: 158,
  setTidAddress: 218,
  exitGroup: 231,
  openAt: 257,
  newFstatAt: 262,
  setRobustList: 273,
  prlimit: 302,
  getRandom: 318,
  rseq: 334,
} as const;

/**
 * Opcodes that `mov` a 32-bit number to edi, esi, edx, r10d, r8d and r9d: the arguments of a call.
 */
const MOVES = [[0xbf], [0xbe], [0xba], [0x41, 0xba], [0x41, 0xb8], [0x41, 0xb9]] as const;

/** @returns an ELF file that needs no other file */
export function warmUpProgram(): Buffer {
  const file = Buffer.alloc(TEXT_BYTES + DATA_BYTES);
  // No part of it may be a hole, since a hole is not read from the disk.
  for (let at = 0; at < file.length; at += 64) file.writeUInt32LE(at + 1, at);
  const self = '/proc/self/exe\0';
  const path = DATA + 0x100;
  file.write(self, TEXT_BYTES + 0x100, 'latin1');
  file.fill(0, 0, ELF_HEADER + 3 * PROGRAM_HEADER);
  const codeAt = ELF_HEADER + 3 * PROGRAM_HEADER;
  writeHeader(file, TEXT + codeAt);
  writeSegment(file, 0, { type: 1, flags: 5, offset: 0, address: TEXT, bytes: TEXT_BYTES });
  writeSegment(file, 1, {
    ...{ type: 1, flags: 6, offset: TEXT_BYTES, address: DATA, bytes: DATA_BYTES },
    memory: DATA_MEMORY,
  });
  // PT_GNU_STACK: the stack is not executable.
  writeSegment(file, 2, { type: 0x6474_e551, flags: 6, offset: 0, address: 0, bytes: 0 });
  const scratch = DATA + PAGE;
  // The kernel writes to these addresses by itself, so nothing else is written there.
  const kept = DATA + DATA_BYTES;
  const code = Buffer.concat([
    call(CALL.brk, 0),
    // The end of the heap is set to its present end, which the call returned, plus 128 KiB.
    Buffer.from([0x48, 0x89, 0xc7, 0x48, 0x81, 0xc7, 0x00, 0x00, 0x02, 0x00]),
    Buffer.from([0xb8, CALL.brk, 0, 0, 0, 0x0f, 0x05]),
    call(CALL.archPrctl, 0x1002, scratch),
    call(CALL.setTidAddress, kept),
    call(CALL.setRobustList, kept + 0x40, 24),
    call(CALL.rseq, kept + 0x80, 32, 0, 0x5305_3053),
    call(CALL.uname, scratch + 0x400),
    call(CALL.prlimit, 0, 3, 0, scratch),
    call(CALL.readlink, path, scratch, 256),
    call(CALL.getRandom, scratch, 8, 1),
    call(CALL.mprotect, DATA, PAGE, 1),
    call(CALL.mprotect, DATA, PAGE, 3),
    call(CALL.mmap, 0, 0x4000, 3, 0x22, 0xffff_ffff, 0),
    call(CALL.prctl, 15, path),
    call(CALL.sigprocmask, 0, scratch, 0, 8),
    call(CALL.sigaction, 17, 0, scratch, 8),
    call(CALL.getuid),
    call(CALL.getpid),
    call(CALL.ioctl, 1, 0x5413, scratch),
    call(CALL.newFstatAt, 0xffff_ff9c, path, scratch, 0),
    call(CALL.openAt, 0xffff_ff9c, path, 0, 0),
    call(CALL.writev, 1, scratch, 0),
    touch(TEXT, TEXT_BYTES / PAGE, PAGE, false),
    touch(DATA, DATA_MEMORY / PAGE, PAGE, true),
    call(CALL.munmap, DATA + DATA_MEMORY - PAGE, PAGE),
    call(CALL.exitGroup, 0),
  ]);
  code.copy(file, codeAt);
  return file;
}

/** `syscall`, whatever it returns. */
function call(number: number, ...args: readonly number[]): Buffer {
  const moves = args.flatMap((value, index) => [...(MOVES[index] ?? []), ...word(value)]);
  return Buffer.from([...moves, 0xb8, ...word(number), 0x0f, 0x05]);
}

/** Reads or increments a byte, `times` times, `step` bytes apart. */
function touch(from: number, times: number, step: number, writes: boolean): Buffer {
  const access = writes ? [0xfe, 0x06] : [0x8a, 0x06];
  return Buffer.from([
    ...[0xbe, ...word(from)], // mov esi, from
    ...[0xb9, ...word(times)], // mov ecx, times
    ...access, // inc byte [rsi]; or mov al, [rsi]
    ...[0x81, 0xc6, ...word(step)], // add esi, step
    ...[0xff, 0xc9], // dec ecx
    ...[0x75, 0xf4], // jnz to the access
  ]);
}

function word(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
}

function writeHeader(file: Buffer, entry: number): void {
  file.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(62, 18); // x86-64
  file.writeUInt32LE(1, 20);
  file.writeUInt32LE(entry, 24);
  file.writeUInt32LE(ELF_HEADER, 32);
  file.writeUInt16LE(ELF_HEADER, 52);
  file.writeUInt16LE(PROGRAM_HEADER, 54);
  file.writeUInt16LE(3, 56);
  file.writeUInt16LE(64, 58); // of a section header; there are none
}

interface Segment {
  readonly type: number;
  /** 4 read, 2 write, 1 execute. */
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
  readonly memory?: number;
}

function writeSegment(file: Buffer, index: number, segment: Segment): void {
  const { type, flags, offset, address, bytes, memory = bytes } = segment;
  const at = ELF_HEADER + index * PROGRAM_HEADER;
  file.writeUInt32LE(type, at);
  file.writeUInt32LE(flags, at + 4);
  file.writeUInt32LE(offset, at + 8);
  file.writeUInt32LE(address, at + 16);
  file.writeUInt32LE(address, at + 24);
  file.writeUInt32LE(bytes, at + 32);
  file.writeUInt32LE(memory, at + 40);
  file.writeUInt32LE(PAGE, at + 48);
}
