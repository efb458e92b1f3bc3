/**
 * A copy of a template's RAM for one VM, which shares it with its device processes.
 *
 * The copy lies in memory and has no name: guest RAM never lies on a disk.
 *
 * @module
 */
import { constants, read, write } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isDiskFull } from '../../../disk-full.ts';
import { A3sError } from '../../../errors.ts';
import type { JailIdentity } from '../../../jail/jail.ts';
import { dataExtents, type Extent } from '../../data-extents.ts';
import type { Template } from '../../vm/template.ts';

const DIRECTORY = '/dev/shm';
const TMPFS_MAGIC = 0x01021994;
/** `O_TMPFILE` of Linux on x86-64: a file without a name. */
const O_TMPFILE = 0o20200000;
const CHUNK_BYTES = 2 ** 20;
/** More copies at once would only wait for each other, and for the VMM that starts meanwhile. */
const COPIERS = 2;
const readFd = promisify(read);
const writeFd = promisify(write);

export interface PrivateRam {
  /** Open for reading and writing. The identity may open it again. */
  readonly file: FileHandle;
  /** Resolves when the copy is complete. */
  readonly filled: Promise<void>;
}

/** @throws A3sError `out-of-memory` where there is no room in memory for it */
export async function privateRam(template: Template, identity: JailIdentity): Promise<PrivateRam> {
  await checkRoom(template.memoryBytes);
  const file = await open(DIRECTORY, constants.O_RDWR | O_TMPFILE, 0o600);
  try {
    if (process.geteuid?.() === 0) await file.chown(identity.uid, identity.gid);
    await file.truncate(template.memoryBytes);
  } catch (error) {
    await file.close();
    throw error;
  }
  const filled = fill(template, file.fd);
  // The caller that awaits it gets the error. Until then the rejection must not count as unhandled.
  filled.catch(() => undefined);
  return { file, filled };
}

async function checkRoom(bytes: number): Promise<void> {
  const { type, bavail, bsize } = await statfs(DIRECTORY);
  if (type !== TMPFS_MAGIC) throw noRoom('it is not in memory');
  // As large as the RAM may grow: the kernel would kill a guest that writes to a page without room
  // behind it.
  if (bavail * bsize < bytes) throw noRoom(`${bytes / 2 ** 20} MiB are needed`);
}

function noRoom(why: string, cause?: unknown): A3sError {
  return new A3sError('out-of-memory', `Cannot copy a microVM's RAM to ${DIRECTORY}: ${why}`, {
    remedy: `Mount a tmpfs there with room for it, such as mount -o remount,size=50% ${DIRECTORY}.`,
    cause,
  });
}

function explained(error: unknown): unknown {
  return isDiskFull(error) ? noRoom('no room is left', error) : error;
}

/**
 * Pages that are zero are not copied, and take no memory. Settles only when nothing uses the
 * descriptors any more.
 */
async function fill({ ram, memoryBytes }: Template, to: number): Promise<void> {
  const chunks = inChunks(dataExtents(ram, memoryBytes));
  const copiers = Array.from({ length: COPIERS }, () => copyChunks(chunks, ram, to));
  for (const outcome of await Promise.allSettled(copiers)) {
    if (outcome.status === 'rejected') throw explained(outcome.reason);
  }
}

async function* inChunks(extents: AsyncIterable<Extent>): AsyncGenerator<Extent> {
  for await (const { start, end } of extents) {
    for (let at = start; at < end; at += CHUNK_BYTES) {
      yield { start: at, end: Math.min(at + CHUNK_BYTES, end) };
    }
  }
}

async function copyChunks(chunks: AsyncGenerator<Extent>, from: number, to: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    const next = await chunks.next();
    if (next.done === true) return;
    const { start, end } = next.value;
    for (let at = start; at < end; ) {
      const { bytesRead } = await readFd(from, buffer, 0, end - at, at);
      if (bytesRead === 0) throw new A3sError('internal', 'The RAM of a template ends early');
      for (let done = 0; done < bytesRead; ) {
        const left = bytesRead - done;
        const { bytesWritten } = await writeFd(to, buffer, done, left, at + done);
        done += bytesWritten;
      }
      at += bytesRead;
    }
  }
}
