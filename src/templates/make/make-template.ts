/**
 * Makes a template: boots a VM, prepares and stops it, and writes its state down.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { isDiskFull } from '../../disk-full.ts';
import { syncDirectory } from '../../durable.ts';
import type { Engine } from '../../engine/engine.ts';
import { closeDescriptor, giveTo, memoryFile } from '../../engine/memory-file.ts';
import type { VmShape } from '../../engine/vm/template.ts';
import type { Vm } from '../../engine/vm/vm.ts';
import { A3sError } from '../../errors.ts';
import { connectGuest } from '../../guest/connection.ts';
import { PROTOCOL } from '../../guest/protocol.ts';
import { TEMPLATE_IDENTITY } from '../../jail/identity.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import { BLANK_DISK_BYTES, makeBlankDisk } from '../blank-disk.ts';
import { type Inputs, TEMPLATE_SCHEMA } from '../key.ts';
import { CHANGES_CHUNK, RAM_CHUNK } from '../mapped-template.ts';
import { type Packed, pack } from '../packed.ts';
import { type TemplateRecord, writeRecord } from '../record.ts';
import { checkClockRate } from './clock-rate.ts';

/** The first version of the guest protocol that supports templates. */
const FIRST_PROTOCOL = 2;
/** The timeout for everything but the guest's boot. */
const REST_MS = 180_000;

/**
 * The agent of the boot set cannot be copied. This is not an error, and a retry does not change it.
 */
export class NotCopyable extends A3sError {}

export interface Making {
  readonly engine: Engine;
  readonly key: string;
  readonly inputs: Inputs;
  readonly shape: VmShape;
  /** An empty directory, which becomes the template's. */
  readonly directory: string;
  /** Directory of the VM's sockets. It does not exist yet, and is removed at the end. */
  readonly runtimeDir: string;
  /** Names the VM. */
  readonly id: string;
  readonly bootMs: number;
  /** Milliseconds since 1970: the time from which its kernel's random state ages. */
  readonly seededAt: number;
}

/** An id for a VM that is only made to be copied. */
export function newVmId(): string {
  return randomBytes(32).toString('hex');
}

/**
 * Fills the directory. The content is durable when it returns, except the directory's own name.
 * When it rejects, the caller removes what was written, and no process is left.
 *
 * @throws A3sError as `Engine.makeTemplate`, `disk-full`, `out-of-memory`; NotCopyable; WrongClock;
 * the signal's reason
 */
export async function makeTemplate(making: Making, signal: AbortSignal): Promise<TemplateRecord> {
  const identity = makerIdentity();
  const deadline = AbortSignal.timeout(making.bootMs + REST_MS);
  const ends = AbortSignal.any([signal, deadline]);
  const blank = join(making.directory, 'blank');
  const { sparePorts } = making.shape;
  const ram = await memoryFile('template-made');
  try {
    await giveTo(ram, identity);
    await makeBlankDisk(blank);
    await giveFile(blank, identity);
    const protocol = await runVm(making, { identity, ram, blank }, ends);
    const files = await writeFiles(making, { ram, blank }, ends);
    await rm(blank);
    const record: TemplateRecord = {
      schema: TEMPLATE_SCHEMA,
      key: making.key,
      inputs: making.inputs,
      cpus: making.shape.cpus,
      ...(sparePorts === undefined ? {} : { sparePorts }),
      memoryBytes: making.engine.templateMemoryBytes,
      protocol,
      createdAt: new Date(making.seededAt).toISOString(),
      files,
    };
    await writeRecord(making.directory, record);
    await syncDirectory(making.directory);
    return record;
  } catch (error) {
    signal.throwIfAborted();
    throw explained(error, deadline.aborted);
  } finally {
    await closeDescriptor(ram);
  }
}

async function runVm(
  making: Making,
  given: { identity: JailIdentity; ram: number; blank: string },
  signal: AbortSignal,
): Promise<number> {
  const { engine, id, runtimeDir, shape, directory, bootMs } = making;
  let protocol = 0;
  await mkdir(runtimeDir, { mode: 0o700 });
  try {
    if (process.geteuid?.() === 0) {
      await chown(runtimeDir, given.identity.uid, given.identity.gid);
    }
    const request = {
      ...{ id, runtimeDir, identity: given.identity, shape },
      ...{ writableLayerPath: given.blank, ram: given.ram, devicePath: join(directory, 'device') },
      prepare: async (vm: Vm, ends: AbortSignal): Promise<void> => {
        await stepBack(vm.pid);
        protocol = await prepareGuest(vm, bootMs, ends);
      },
    };
    await engine.makeTemplate(request, signal);
    return protocol;
  } finally {
    await engine.sweep(id, runtimeDir);
    await rm(runtimeDir, { recursive: true, force: true });
  }
}

/** No connection is open when it returns. */
async function prepareGuest(vm: Vm, deadlineMs: number, signal: AbortSignal): Promise<number> {
  const guest = await connectGuest(vm, { signal, deadlineMs });
  try {
    const protocol = Math.min(guest.hello?.protocol.maximum ?? 0, PROTOCOL.maximum);
    if (protocol < FIRST_PROTOCOL) {
      throw new NotCopyable(
        'unsupported-option',
        `Cannot make a template: the guest agent of this boot set speaks protocol ${protocol}, and templates need ${FIRST_PROTOCOL}`,
        { remedy: 'Create boxes anew, so that they boot with the current agent.' },
      );
    }
    // Before the rest: the work on a guest that is not kept would be for nothing.
    await checkClockRate(guest, signal);
    await guest.prepare(signal);
    return protocol;
  } finally {
    guest.close();
    await guest.closed;
  }
}

/**
 * Boxes that start meanwhile come first. Where this process may not slow the VMM down, it runs at
 * its normal priority.
 */
async function stepBack(pid: number): Promise<void> {
  if (pid === 0) return;
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  for (const thread of threads) {
    try {
      setPriority(Number(thread), PRIORITY);
    } catch {
      // The process has ended, or a kernel with other rules keeps its priority. Nothing depends on
      // it.
    }
  }
}

const PRIORITY = 10;

async function writeFiles(
  making: Making,
  made: { ram: number; blank: string },
  signal: AbortSignal,
): Promise<TemplateRecord['files']> {
  const { directory, engine } = making;
  const ramShape = { sizeBytes: engine.templateMemoryBytes, chunkBytes: RAM_CHUNK };
  const ram = await newFile(join(directory, 'ram'), (target) =>
    pack(made.ram, ramShape, target, signal),
  );
  const disk = await open(made.blank, 'r');
  try {
    const diskShape = { sizeBytes: BLANK_DISK_BYTES, chunkBytes: CHANGES_CHUNK };
    const changes = await newFile(join(directory, 'changes'), (target) =>
      pack(disk.fd, diskShape, target, signal),
    );
    return { ram, changes, device: await deviceFile(join(directory, 'device')) };
  } finally {
    await disk.close();
  }
}

async function newFile(
  path: string,
  write: (target: FileHandle) => Promise<Packed>,
): Promise<Packed> {
  const target = await open(path, 'wx', 0o600);
  try {
    const packed = await write(target);
    await target.sync();
    return packed;
  } finally {
    await target.close();
  }
}

/** The engine wrote it. */
async function deviceFile(path: string): Promise<Packed> {
  const handle = await open(path, 'r+');
  try {
    await handle.chmod(0o600);
    if (process.geteuid?.() === 0) await handle.chown(0, process.getegid?.() ?? 0);
    const bytes = await handle.readFile();
    await handle.sync();
    return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  } finally {
    await handle.close();
  }
}

async function giveFile(path: string, identity: JailIdentity): Promise<void> {
  await chmod(path, 0o600);
  if (process.geteuid?.() === 0) await chown(path, identity.uid, identity.gid);
}

/** An identity of its own, which no box has. An ordinary user has no other identity. */
function makerIdentity(): JailIdentity {
  const uid = process.geteuid?.() ?? 0;
  return uid === 0 ? TEMPLATE_IDENTITY : { uid, gid: process.getegid?.() ?? 0 };
}

function explained(cause: unknown, late: boolean): unknown {
  if (late) {
    return new A3sError('agent-timeout', 'Making a template took too long', {
      cause,
      remedy: 'Try again with a3s-box template warm when the machine is less busy.',
    });
  }
  if (!isDiskFull(cause)) return cause;
  return new A3sError('disk-full', 'Cannot write a template: no space is left', {
    cause,
    remedy: 'Free some space and try again.',
  });
}
