/**
 * The kernel that libkrun boots: the boot set's, with ACPI tables as one more segment. libkrun
 * loads every segment of an ELF kernel at its physical address, and knows nothing of tables.
 *
 * The file is derived from the boot set, and kept for all boxes of a home.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  chmod,
  constants,
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readdir,
  rm,
  stat,
} from 'node:fs/promises';
import { join } from 'node:path';
import { renameDurably } from '../../../durable.ts';
import { A3sError } from '../../../errors.ts';
import { acpiTables, TABLES_ADDRESS } from './tables.ts';

/** How many kernels are kept: that of the current boot set, and of sets that boxes have pinned. */
const KEPT = 4;
const PAGE = 4096;
/** The beginning of the name of a file that this process is making. */
const UNFINISHED = `.new-${process.pid}-`;

const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const PT_LOAD = 1;
const READABLE = 4;

/**
 * The path of the kernel with tables, which is made where it is not there.
 *
 * @param directory of such kernels, which is the server's
 * @throws A3sError `state-unusable` where the kernel cannot take another segment
 */
export async function kernelWithTables(kernelPath: string, directory: string): Promise<string> {
  const { size, mtimeMs } = await stat(kernelPath);
  const tables = acpiTables();
  const key = createHash('sha256')
    .update(`${kernelPath}\0${size}\0${Math.floor(mtimeMs)}\0`)
    .update(tables)
    .digest('hex');
  const path = join(directory, key);
  if (await isThere(path)) return path;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await removeLeftovers(directory);
  const work = join(directory, `${UNFINISHED}${randomBytes(8).toString('hex')}`);
  try {
    await copyFile(kernelPath, work, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    // Nobody may write to a boot set's files.
    await chmod(work, 0o600);
    await addTables(work, tables);
    await renameDurably(work, path);
  } finally {
    await rm(work, { force: true });
  }
  await removeOthers(directory, key);
  return path;
}

async function isThere(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined;
}

/** Adds the segment to an ELF file in place. The VMM's user reads it; nobody writes to it. */
async function addTables(path: string, tables: Buffer): Promise<void> {
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  const header = Buffer.alloc(ELF_HEADER_BYTES);
  await file.read(header, 0, header.length, 0);
  if (header.readUInt32BE(0) !== 0x7f45_4c46 || header.readUInt16LE(54) !== PROGRAM_HEADER_BYTES) {
    throw unusable('it is no ELF file of 64 bits');
  }
  const count = header.readUInt16LE(56);
  const at = Number(header.readBigUInt64LE(32)) + count * PROGRAM_HEADER_BYTES;
  await checkUnused(file, at);
  const offset = Math.ceil(size / PAGE) * PAGE;
  await file.write(tables, 0, tables.length, offset);
  await file.write(programHeader(offset, tables.length), 0, PROGRAM_HEADER_BYTES, at);
  header.writeUInt16LE(count + 1, 56);
  await file.write(header, 56, 2, 56);
  await file.chmod(0o444);
  await file.sync();
}

/** Between the headers and the first segment a kernel's file has a gap of zeros. */
async function checkUnused(file: FileHandle, at: number): Promise<void> {
  const gap = Buffer.alloc(PROGRAM_HEADER_BYTES);
  const { bytesRead } = await file.read(gap, 0, gap.length, at);
  if (bytesRead === gap.length && gap.every((byte) => byte === 0)) return;
  throw unusable('it has no room for another segment');
}

function programHeader(offset: number, length: number): Buffer {
  const header = Buffer.alloc(PROGRAM_HEADER_BYTES);
  header.writeUInt32LE(PT_LOAD, 0);
  header.writeUInt32LE(READABLE, 4);
  header.writeBigUInt64LE(BigInt(offset), 8);
  header.writeBigUInt64LE(BigInt(TABLES_ADDRESS), 16);
  header.writeBigUInt64LE(BigInt(TABLES_ADDRESS), 24);
  header.writeBigUInt64LE(BigInt(length), 32);
  header.writeBigUInt64LE(BigInt(length), 40);
  header.writeBigUInt64LE(BigInt(PAGE), 48);
  return header;
}

/** What a server that died has not finished. A home has one server. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith('.new-') || name.startsWith(UNFINISHED)) continue;
    await rm(join(directory, name), { force: true });
  }
}

/** Removes all but the newest. A microVM that is being started has its kernel open. */
async function removeOthers(directory: string, key: string): Promise<void> {
  const others = (await readdir(directory)).filter((name) => name !== key && !name.startsWith('.'));
  const dated = await Promise.all(
    others.map(async (name) => ({ name, made: (await stat(join(directory, name))).mtimeMs })),
  );
  dated.sort((a, b) => b.made - a.made);
  for (const { name } of dated.slice(KEPT - 1)) await rm(join(directory, name), { force: true });
}

function unusable(reason: string): A3sError {
  return new A3sError(
    'state-unusable',
    `Cannot give libkrun the kernel of the boot set: ${reason}`,
    {
      remedy: 'Make the boot set again: npm run setup.',
    },
  );
}
