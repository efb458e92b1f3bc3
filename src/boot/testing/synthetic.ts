/**
 * Small kernels and modules that pass every check of the builder.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import type { Firmware } from '../firmware.ts';

/** An ELF kernel with a PVH note, or with another one. */
export function syntheticVmlinux(noteType = 18): Buffer {
  const elf = Buffer.alloc(64 + 56 + 20 + 100);
  elfHeader(elf);
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(4, 64);
  elf.writeBigUInt64LE(120n, 64 + 8);
  elf.writeBigUInt64LE(20n, 64 + 32);
  elf.writeUInt32LE(4, 120);
  elf.writeUInt32LE(4, 124);
  elf.writeUInt32LE(noteType, 128);
  elf.write('Xen\0', 132, 'latin1');
  return elf;
}

function elfHeader(elf: Buffer): void {
  elf.writeUInt32BE(0x7f454c46, 0);
  elf.writeUInt8(2, 4);
  elf.writeUInt8(1, 5);
}

/** A bzImage around `vmlinux`, compressed by the real tool. */
export function syntheticBzImage(vmlinux: Buffer): Buffer {
  const frame = execFileSync('zstd', ['-c', '-q'], { input: vmlinux });
  const head = Buffer.alloc(0x2000);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(vmlinux.length);
  head.writeUInt8(7, 0x1f1);
  head.write('HdrS', 0x202);
  head.writeUInt16LE(0x020f, 0x206);
  head.writeUInt32LE(head.length - 8 * 512, 0x248);
  head.writeUInt32LE(frame.length + 4, 0x24c);
  return Buffer.concat([head, frame, size, Buffer.alloc(64)]);
}

/** A module: an ELF file with nothing but its `.modinfo`. */
export function syntheticModule(name: string, depends: string[], release: string): Buffer {
  const info = Buffer.from(
    `name=${name}\0depends=${depends.join(',')}\0vermagic=${release} SMP mod_unload\0`,
  );
  const names = Buffer.from('\0.modinfo\0.shstrtab\0');
  const header = Buffer.alloc(64);
  elfHeader(header);
  const table = 64 + info.length + names.length;
  header.writeBigUInt64LE(BigInt(table), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(3, 60);
  header.writeUInt16LE(2, 62);
  const sections = Buffer.alloc(3 * 64);
  const section = (index: number, nameAt: number, start: number, size: number): void => {
    sections.writeUInt32LE(nameAt, index * 64);
    sections.writeBigUInt64LE(BigInt(start), index * 64 + 24);
    sections.writeBigUInt64LE(BigInt(size), index * 64 + 32);
  };
  section(1, 1, 64, info.length);
  section(2, 10, 64 + info.length, names.length);
  return Buffer.concat([header, info, names, sections]);
}

/** A firmware by name, as if it had been compiled. */
export function syntheticFirmware(): Firmware {
  const tarball = { sha256: 'ab'.repeat(32), size: 1 };
  return {
    image: Buffer.from('a firmware'),
    source: {
      package: 'edk2',
      version: '1-1',
      original: { name: 'edk2_1.orig.tar.xz', ...tarball },
      debian: { name: 'edk2_1-1.debian.tar.xz', ...tarball },
    },
    platform: 'cd'.repeat(32),
    tools: { gcc: 'gcc 14' },
  };
}
