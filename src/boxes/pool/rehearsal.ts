/**
 * What a machine of a pool rehearses with: the smallest box there is, which is nobody's.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import type { BoxSpec } from '@a3s-box/policies';
import { type Disk, TEMPLATE_SLOTS } from '../../engine/engine.ts';
import { DiskBudget } from '../../images/disk-budget.ts';
import { ErofsWriter } from '../../images/erofs/image-writer.ts';
import type { Attributes, DirectoryNode, FileNode } from '../../images/layer/tree.ts';
import { guestNic, specDocument } from '../machine.ts';

/** The last slot: it is the one that boxes need the least. */
const SLOT = TEMPLATE_SLOTS.layers[6];
const PROGRAM = 'true';
const MAC = '02:00:00:00:00:01';
const MOST_BYTES = 1 << 20;

const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
const ADDRESS = 0x40_0000n;
/** `xor edi, edi; mov eax, 231; syscall`: exit_group(0). */
const CODE = Buffer.from([0x31, 0xff, 0xb8, 231, 0, 0, 0, 0x0f, 0x05]);

/** The disk, in the machine's last slot. */
export function rehearsalDisk(path: string): Disk {
  return { path, serial: SLOT, readonly: true };
}

/** Writes it: one program, which ends at once. */
export async function writeRehearsalDisk(path: string): Promise<void> {
  const program = elf();
  const attributes: Attributes = {
    ...{ mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } },
    xattrs: new Map(),
  };
  const file: FileNode = { kind: 'file', attributes, size: program.length, layer: 0, entry: 0 };
  const children = new Map([[PROGRAM, file]]);
  const root: DirectoryNode = {
    ...{ kind: 'directory', attributes, children },
    opaque: false,
    explicit: true,
  };
  const disk = await open(path, 'wx', 0o600);
  try {
    const writer = new ErofsWriter(root, disk, new DiskBudget(path, MOST_BYTES));
    await writer.writeData(once(program));
    await writer.finish();
  } finally {
    await disk.close();
  }
}

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}

/** What the guest is told: as much like an ordinary box's spec as can be. */
export function rehearsalSpec(network: 'default' | 'none'): BoxSpec {
  const definition = {
    ...{ hostname: 'rehearsal', entrypoint: [], cmd: [`/${PROGRAM}`], env: ['PATH=/bin'] },
    ...{ cwd: '/', user: '', terminal: false, openStdin: false, memoryBytes: 0, nanoCpus: 0 },
  };
  return specDocument(definition, {
    layers: [{ serial: SLOT }],
    changes: { kind: 'disk', serial: TEMPLATE_SLOTS.changes },
    mounts: [],
    network: network === 'none' ? { kind: 'none' } : guestNic(MAC),
  });
}

/** A program of one segment. */
function elf(): Buffer {
  const header = Buffer.alloc(ELF_HEADER + PROGRAM_HEADER);
  const size = BigInt(header.length + CODE.length);
  header.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(62, 18); // x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(ADDRESS + BigInt(header.length), 24);
  header.writeBigUInt64LE(BigInt(ELF_HEADER), 32);
  header.writeUInt16LE(ELF_HEADER, 52);
  header.writeUInt16LE(PROGRAM_HEADER, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt16LE(64, 58); // of a section header, of which there are none
  header.writeUInt32LE(1, ELF_HEADER); // loaded
  header.writeUInt32LE(5, ELF_HEADER + 4); // read and execute
  header.writeBigUInt64LE(ADDRESS, ELF_HEADER + 16);
  header.writeBigUInt64LE(ADDRESS, ELF_HEADER + 24);
  header.writeBigUInt64LE(size, ELF_HEADER + 32);
  header.writeBigUInt64LE(size, ELF_HEADER + 40);
  header.writeBigUInt64LE(0x1000n, ELF_HEADER + 48);
  return Buffer.concat([header, CODE]);
}
