/**
 * A template in memory: its RAM and its devices as sealed files, its writable layer as the few
 * bytes that were written to it.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { write } from 'node:fs';
import { chown, type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isDiskFull } from '../disk-full.ts';
import { closeDescriptor, memoryFile, pathOf, seal, setLength } from '../engine/memory-file.ts';
import { A3sError } from '../errors.ts';
import type { JailIdentity } from '../jail/jail.ts';
import { BLANK_DISK_BYTES } from './blank-disk.ts';
import { Damaged } from './damaged.ts';
import { type Packed, unpack } from './packed.ts';
import { checkPrivateDirectory, openPrivate } from './private-file.ts';
import type { TEMPLATE_FILES, TemplateRecord } from './record.ts';

const writeFd = promisify(write);

/** The chunk size for RAM: coarse, since most of the touched pages lie together. */
export const RAM_CHUNK = 64 * 1024;
/** The chunk size for the writable layer: fine, since every box writes all of it. */
export const CHANGES_CHUNK = 16 * 1024;
/** The limit of the devices' state. QEMU's is below 1 MiB. */
const MAX_DEVICE = 64 * 2 ** 20;

interface DiskExtent {
  readonly offset: number;
  readonly data: Buffer;
}

export class MappedTemplate {
  readonly record: TemplateRecord;
  /** Its size in memory, in bytes. */
  readonly memoryBytes: number;
  /** Any identity can read it, and none can write it. */
  readonly ram: number;
  readonly #device: number;
  readonly #changes: readonly DiskExtent[];
  #closed: Promise<void> | undefined;

  constructor(record: TemplateRecord, ram: number, device: number, changes: readonly DiskExtent[]) {
    const { files } = record;
    this.record = record;
    this.memoryBytes = files.ram.bytes + files.device.bytes + files.changes.bytes;
    this.ram = ram;
    this.#device = device;
    this.#changes = changes;
  }

  /** A path to it that is valid while this is open. */
  get devicePath(): string {
    return pathOf(this.#device);
  }

  /**
   * As `TakenTemplate.writeChanges`.
   *
   * @throws A3sError `disk-full`
   */
  async writeChanges(path: string, identity: JailIdentity): Promise<void> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, 'wx', 0o600);
      const disk = handle;
      await disk.truncate(BLANK_DISK_BYTES);
      await Promise.all(this.#changes.map(({ offset, data }) => writeAt(disk, data, offset)));
      await handle.close();
      if (process.geteuid?.() === 0) await chown(path, identity.uid, identity.gid);
    } catch (error) {
      await handle?.close();
      if (handle !== undefined) await rm(path, { force: true });
      throw explained(error);
    }
  }

  /** Running VMs keep their mappings. */
  close(): Promise<void> {
    this.#closed ??= Promise.all([closeDescriptor(this.ram), closeDescriptor(this.#device)]).then(
      () => undefined,
    );
    return this.#closed;
  }
}

/**
 * Reads a template into memory. Afterwards every byte of it was checked, and no process can change
 * any.
 *
 * @throws Damaged, with the name of the file
 */
export async function mapTemplate(
  directory: string,
  record: TemplateRecord,
): Promise<MappedTemplate> {
  await checkPrivateDirectory(directory);
  const changes = await named('changes', () => loadChanges(directory, record.files.changes));
  const ram = await named('ram', () => loadRam(directory, record));
  try {
    const device = await named('device', () => loadDevice(directory, record.files.device));
    return new MappedTemplate(record, ram, device, changes);
  } catch (error) {
    await closeDescriptor(ram);
    throw error;
  }
}

async function loadRam(directory: string, record: TemplateRecord): Promise<number> {
  const shape = { sizeBytes: record.memoryBytes, chunkBytes: RAM_CHUNK };
  return await reading(directory, 'ram', (source) =>
    inMemory('template-ram', async (fd) => {
      await setLength(fd, shape.sizeBytes);
      await unpack(source, shape, record.files.ram, (offset, data) => put(fd, data, offset));
    }),
  );
}

async function loadDevice(directory: string, expected: Packed): Promise<number> {
  if (expected.bytes > MAX_DEVICE) throw new Damaged('it is too large');
  return await reading(directory, 'device', (source) =>
    inMemory('template-devices', async (fd) => {
      const { size } = await source.stat();
      if (size !== expected.bytes) {
        throw new Damaged(`it has ${size} bytes instead of ${expected.bytes}`);
      }
      const bytes = await source.readFile();
      if (createHash('sha256').update(bytes).digest('hex') !== expected.sha256) {
        throw new Damaged('it does not have the SHA-256 that is on record');
      }
      await put(fd, bytes, 0);
    }),
  );
}

async function loadChanges(directory: string, expected: Packed): Promise<DiskExtent[]> {
  const shape = { sizeBytes: BLANK_DISK_BYTES, chunkBytes: CHANGES_CHUNK };
  return await reading(directory, 'changes', async (source) => {
    const extents: DiskExtent[] = [];
    await unpack(source, shape, expected, async (offset, data) => {
      extents.push({ offset, data: Buffer.from(data) });
    });
    return extents;
  });
}

async function reading<T>(
  directory: string,
  name: (typeof TEMPLATE_FILES)[number],
  work: (source: FileHandle) => Promise<T>,
): Promise<T> {
  const source = await openPrivate(join(directory, name));
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

async function inMemory(name: string, fill: (fd: number) => Promise<void>): Promise<number> {
  const fd = await memoryFile(name);
  try {
    await fill(fd);
  } catch (error) {
    await closeDescriptor(fd);
    throw error;
  }
  return await seal(fd);
}

async function named<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Damaged) throw new Damaged(`${name}: ${error.message}`);
    throw error;
  }
}

async function put(fd: number, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await writeFd(fd, data, done, data.length - done, position + done);
    done += bytesWritten;
  }
}

async function writeAt(handle: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await handle.write(data, done, data.length - done, position + done);
    done += bytesWritten;
  }
}

function explained(cause: unknown): unknown {
  if (!isDiskFull(cause)) return cause;
  return new A3sError('disk-full', "Cannot make the box's disk: no space is left", {
    cause,
    remedy: 'Free some space and try again.',
  });
}
