/**
 * Finds the RAM of a stopped VM in the file that QEMU saved it to.
 *
 * With the capability `mapped-ram` each block of RAM has one place in the file, as in memory, with
 * holes for zero pages (QEMU's docs/devel/migration/mapped-ram.rst). The headers between the blocks
 * are parsed strictly: a guest that has taken over its VMM may have written them.
 *
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { A3sError } from '../../../errors.ts';

const MAGIC = 0x5145564d;
const VERSION = 3;
const SECTION_START = 1;
const SUBSECTION = 5;
const CONFIGURATION = 7;
const MEMORY_SIZE = 4;
export const PAGE = 4096;
/** The alignment of pages in the file, so that they can be mapped. */
const ALIGNMENT = 2 ** 20;
const RAM_VERSION = 4;
const HEADER_VERSION = 1;
const MOST_BLOCKS = 64;
const MOST_CAPABILITIES = 64;
const MOST_BYTES = 2 ** 46;

/** One block of RAM. */
export interface SavedBlock {
  readonly name: string;
  readonly bytes: number;
  /** The offset of its first page in the file. */
  readonly offset: number;
}

export interface SavedRam {
  /** The machine type, with its version. */
  readonly machine: string;
  /** In QEMU's order. */
  readonly blocks: readonly SavedBlock[];
}

/** @throws A3sError `vmm-failed` where the file is not what QEMU writes */
export async function readSavedRam(file: Pick<FileHandle, 'read' | 'stat'>): Promise<SavedRam> {
  const reader = new Reader(file);
  await reader.expect32(MAGIC, 'its magic number');
  await reader.expect32(VERSION, 'its version');
  await reader.expect8(CONFIGURATION, 'a configuration');
  const machine = await reader.text(await reader.u32());
  let kind = await reader.u8();
  if (kind === SUBSECTION) {
    await capabilities(reader);
    kind = await reader.u8();
  }
  if (kind !== SECTION_START) throw strange('a section is missing');
  await reader.u32();
  if ((await reader.text(await reader.u8())) !== 'ram') throw strange('RAM does not come first');
  await reader.expect32(0, 'the instance of RAM');
  await reader.expect32(RAM_VERSION, 'the version of RAM');
  const total = (await reader.u64()) - MEMORY_SIZE;
  const { size } = await file.stat();
  const blocks: SavedBlock[] = [];
  for (let left = total; left > 0; ) {
    if (blocks.length === MOST_BLOCKS) throw strange('it has too many blocks');
    const block = await readBlock(reader);
    left -= block.bytes;
    if (left < 0) throw strange('its blocks are larger than all of it');
    if (blocks.some(({ name }) => name === block.name)) throw strange('a block comes twice');
    if (block.offset + block.bytes > size) throw strange('a block is beyond its end');
    blocks.push(block);
    reader.at = block.offset + block.bytes;
  }
  return { machine, blocks };
}

async function capabilities(reader: Reader): Promise<void> {
  const name = await reader.text(await reader.u8());
  if (name !== 'configuration/capabilities') throw strange(`it has ${JSON.stringify(name)}`);
  await reader.expect32(1, 'the version of its capabilities');
  const count = await reader.u32();
  if (count > MOST_CAPABILITIES) throw strange('it has too many capabilities');
  for (let n = 0; n < count; n++) await reader.text(await reader.u8());
}

async function readBlock(reader: Reader): Promise<SavedBlock> {
  const name = await reader.text(await reader.u8());
  const bytes = await reader.u64();
  await reader.expect32(HEADER_VERSION, 'the version of a block');
  if ((await reader.u64()) !== PAGE) throw strange('its pages have another size');
  // The bitmap of pages is skipped: the holes have the same information.
  await reader.u64();
  const offset = await reader.u64();
  if (bytes === 0 || bytes % PAGE !== 0) throw strange('a block is no whole number of pages');
  if (offset % ALIGNMENT !== 0 || offset < reader.at) throw strange('a block is out of place');
  return { name, bytes, offset };
}

/** Reads big-endian numbers, few at a time. The headers are a few hundred bytes in all. */
class Reader {
  at = 0;
  readonly #file: Pick<FileHandle, 'read'>;

  constructor(file: Pick<FileHandle, 'read'>) {
    this.#file = file;
  }

  async u8(): Promise<number> {
    return (await this.#take(1)).readUInt8();
  }

  async u32(): Promise<number> {
    return (await this.#take(4)).readUInt32BE();
  }

  async u64(): Promise<number> {
    const value = (await this.#take(8)).readBigUInt64BE();
    if (value > BigInt(MOST_BYTES)) throw strange('a number is too large');
    return Number(value);
  }

  async text(length: number): Promise<string> {
    if (length === 0 || length > 255) throw strange('a name has a wrong length');
    const text = (await this.#take(length)).toString('latin1');
    if (!/^[\x21-\x7e]+$/.test(text)) throw strange('a name has other characters');
    return text;
  }

  async expect8(wanted: number, what: string): Promise<void> {
    if ((await this.u8()) !== wanted) throw strange(`${what} is missing`);
  }

  async expect32(wanted: number, what: string): Promise<void> {
    if ((await this.u32()) !== wanted) throw strange(`${what} is another`);
  }

  async #take(length: number): Promise<Buffer> {
    const { buffer, bytesRead } = await this.#file.read(Buffer.alloc(length), 0, length, this.at);
    if (bytesRead !== length) throw strange('it ends early');
    this.at += length;
    return buffer;
  }
}

function strange(why: string): A3sError {
  return new A3sError('vmm-failed', `QEMU saved RAM in an unknown form: ${why}`);
}
