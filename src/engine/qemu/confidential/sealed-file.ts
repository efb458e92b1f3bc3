/**
 * Sealed files in memory, which not even this process can change: the VMM gets the very bytes that
 * were measured.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { constants, read, write } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { A3sError } from '../../../errors.ts';
import { closeDescriptor, memoryFile, seal } from '../../memory-file.ts';

const readFd = promisify(read);
const writeFd = promisify(write);
const CHUNK_BYTES = 2 ** 20;

export interface SealedFile {
  /** A descriptor that can only be read from, by any process that receives it. */
  readonly fd: number;
  readonly bytes: number;
}

/**
 * A copy of a file as it is now.
 *
 * @param limit largest number of bytes that is taken
 * @throws A3sError `state-unusable` for what cannot be read, `out-of-memory`
 */
export async function sealFile(path: string, limit: number): Promise<SealedFile> {
  const from = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(
    (cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new A3sError('state-unusable', `Cannot start a microVM from ${path}: ${why}`, {
        cause,
      });
    },
  );
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    return await sealed(async (at) => {
      const { bytesRead } = await from.read(buffer, 0, CHUNK_BYTES, at);
      if (at + bytesRead > limit) {
        const message = `Cannot start a microVM from ${path}: it has more than ${limit} bytes`;
        throw new A3sError('state-unusable', message);
      }
      return buffer.subarray(0, bytesRead);
    });
  } finally {
    await from.close();
  }
}

/** A file of these bytes. */
export async function sealBytes(bytes: Uint8Array): Promise<SealedFile> {
  return await sealed(async (at) => bytes.subarray(at));
}

/** @param next returns the bytes from there on, none at the end */
async function sealed(next: (at: number) => Promise<Uint8Array>): Promise<SealedFile> {
  const fd = await memoryFile('a3s-measured');
  let bytes = 0;
  try {
    for (;;) {
      const chunk = await next(bytes);
      if (chunk.length === 0) break;
      for (let done = 0; done < chunk.length; ) {
        const left = chunk.length - done;
        const { bytesWritten } = await writeFd(fd, chunk, done, left, bytes + done);
        done += bytesWritten;
      }
      bytes += chunk.length;
    }
  } catch (error) {
    await closeDescriptor(fd);
    throw error;
  }
  return { fd: await seal(fd), bytes };
}

/** Reads all of it. */
export async function contentOf({ fd, bytes }: SealedFile): Promise<Uint8Array> {
  const content = new Uint8Array(bytes);
  let at = 0;
  for await (const chunk of chunks(fd)) {
    content.set(chunk, at);
    at += chunk.length;
  }
  return content;
}

/** The digest of all of it, 32 bytes. */
export async function sha256Of({ fd }: SealedFile): Promise<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of chunks(fd)) hash.update(chunk);
  return new Uint8Array(hash.digest());
}

/** Each chunk is valid until the next is requested. */
async function* chunks(fd: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ; ) {
    const { bytesRead } = await readFd(fd, buffer, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

export async function closeSealed(file: SealedFile): Promise<void> {
  await closeDescriptor(file.fd);
}
