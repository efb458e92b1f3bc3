/**
 * The state that a fork is loaded from: it lists the RAM, contains no page that is mapped from a
 * file, and has the devices after it.
 *
 * It is the stream that QEMU itself makes with the capability `x-ignore-shared`. QEMU cannot make
 * it of a VM with private RAM, and a fork's RAM is private. But QEMU saves devices alone
 * (`xen-save-devices-state`), and the place of the RAM is known (`saved-ram.ts`).
 *
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { A3sError } from '../../../errors.ts';
import { PAGE, type SavedBlock, type SavedRam } from './saved-ram.ts';

const HEADER = Buffer.from('5145564d00000003', 'hex');
const CONFIGURATION = 7;
const SUBSECTION = 5;
const SECTION_START = 1;
const SECTION_END = 3;
const DESCRIPTION = 6;
const FOOTER = 0x7e;
const RAM_SECTION = 2;
const RAM_VERSION = 4;
const MEMORY_SIZE = 4;
const FLAG_PAGE = 8;
const END_OF_SECTION = 16;
/** Firmware and its tables: a few hundred KiB. A larger block has to be mapped. */
const MOST_COPIED = 8 * 2 ** 20;
/** QEMU's state of a VM's devices; some 200 KiB. */
export const MOST_DEVICES_BYTES = 64 * 2 ** 20;

/**
 * @param ram the file that `saved` describes
 * @param devices what QEMU saved of the devices
 * @param mapped names of the blocks that copies map from the file
 * @throws A3sError `vmm-failed`
 */
export async function forkState(
  ram: Pick<FileHandle, 'read'>,
  saved: SavedRam,
  devices: Buffer,
  mapped: ReadonlySet<string>,
): Promise<Buffer> {
  if (devices.length > MOST_DEVICES_BYTES || !devices.subarray(0, HEADER.length).equals(HEADER)) {
    throw new A3sError('vmm-failed', 'QEMU saved the devices in an unknown form');
  }
  const copied = saved.blocks.filter(({ name }) => !mapped.has(name));
  if (copied.reduce((sum, { bytes }) => sum + bytes, 0) > MOST_COPIED) {
    throw new A3sError('vmm-failed', 'The microVM has RAM that its forks would not map');
  }
  const pages: Buffer[] = [];
  for (const block of copied) pages.push(...(await pagesOf(ram, block)));
  return Buffer.concat([
    HEADER,
    configuration(saved.machine),
    ...ramSection(SECTION_START, [named8('ram'), u32(0), u32(RAM_VERSION), list(saved), ...pages]),
    ...ramSection(SECTION_END, []),
    devices.subarray(HEADER.length),
    // QEMU expects a description for people here; it is empty.
    ...[u8(DESCRIPTION), u32(2), Buffer.from('{}')],
  ]);
}

function configuration(machine: string): Buffer {
  const capability = named8('x-ignore-shared');
  return Buffer.concat([
    ...[u8(CONFIGURATION), u32(machine.length), Buffer.from(machine, 'latin1')],
    ...[u8(SUBSECTION), named8('configuration/capabilities'), u32(1), u32(1), capability],
  ]);
}

function ramSection(kind: number, content: readonly Buffer[]): Buffer[] {
  return [
    ...[u8(kind), u32(RAM_SECTION), ...content, u64(END_OF_SECTION)],
    ...[u8(FOOTER), u32(RAM_SECTION)],
  ];
}

function list({ blocks }: SavedRam): Buffer {
  const total = blocks.reduce((sum, { bytes }) => sum + bytes, 0);
  // Addresses are those of shared RAM only.
  const each = blocks.flatMap(({ name, bytes }) => [named8(name), u64(bytes), u64(0)]);
  return Buffer.concat([u64(total + MEMORY_SIZE), ...each]);
}

async function pagesOf(ram: Pick<FileHandle, 'read'>, block: SavedBlock): Promise<Buffer[]> {
  const content = Buffer.alloc(block.bytes);
  const { bytesRead } = await ram.read(content, 0, block.bytes, block.offset);
  if (bytesRead !== block.bytes) throw new A3sError('vmm-failed', 'The saved RAM ends early');
  const pages: Buffer[] = [];
  for (let at = 0; at < block.bytes; at += PAGE) {
    const page = content.subarray(at, at + PAGE);
    if (page.every((byte) => byte === 0)) continue;
    pages.push(u64(at + FLAG_PAGE), named8(block.name), page);
  }
  return pages;
}

function u8(value: number): Buffer {
  return Buffer.from([value]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function named8(name: string): Buffer {
  return Buffer.concat([u8(name.length), Buffer.from(name, 'latin1')]);
}
