/**
 * The file of a container's log, which kubelet names, rotates and removes.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { A3sError } from '../../errors.ts';
import type { OutputStream } from '../../guest/frame.ts';
import { decodeLine, MAX_LINE_BYTES } from './log-lines.ts';
import type { LogPosition } from './log-position.ts';

const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
const MODE = 0o640;
const READ_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
/** A time, the stream, the tag and their spaces. */
const MAX_HEAD = 64;

export class LogFile {
  readonly inode: string;
  readonly #handle: FileHandle;
  #size: number;

  private constructor(handle: FileHandle, inode: string, size: number) {
    this.#handle = handle;
    this.inode = inode;
    this.#size = size;
  }

  /** Behind everything that was appended. */
  get size(): number {
    return this.#size;
  }

  /**
   * Opens or makes the file; its directory has to be there. What a crash left of a line is cut off.
   *
   * @throws A3sError `invalid-argument` for what is no file, or a link
   */
  static async open(path: string): Promise<LogFile> {
    // A pipe would have it wait for a reader.
    const flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    const handle = await open(path, flags, MODE).catch((error: unknown) => {
      throw refused(path, error instanceof Error ? error.message : String(error));
    });
    try {
      const found = await handle.stat({ bigint: true });
      if (!found.isFile()) throw refused(path, 'it is not a file');
      const size = await endOfLines(handle, Number(found.size));
      if (size < found.size) await handle.truncate(size);
      return new LogFile(handle, String(found.ino), size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Either all of it is there afterwards, or nothing. */
  async append(bytes: Buffer): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#handle.write(bytes, at, bytes.length - at)).bytesWritten;
      }
    } catch (error) {
      await this.#handle.truncate(this.#size);
      throw error;
    }
    this.#size += bytes.length;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Bytes of each stream in the lines that were written since the position was recorded. */
export async function writtenSince(
  path: string,
  file: LogPosition['file'],
): Promise<Record<OutputStream, number>> {
  const written = { stdout: 0, stderr: 0 };
  const found = file === undefined ? undefined : await withInode(path, file.inode);
  if (file === undefined || found === undefined) return written;
  const handle = await open(found, constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    for await (const line of linesFrom(handle, file.size)) {
      const decoded = decodeLine(line);
      if (decoded !== undefined) written[decoded.stream] += decoded.bytes;
    }
  } finally {
    await handle.close();
  }
  return written;
}

/** The file, also where it was rotated since: kubelet adds the time to its name. */
async function withInode(path: string, inode: string): Promise<string | undefined> {
  const directory = dirname(path);
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(basename(path)))) {
    const found = await stat(join(directory, name), { bigint: true }).catch(() => undefined);
    if (found?.isFile() === true && String(found.ino) === inode) return join(directory, name);
  }
  return undefined;
}

/** Lines without their ends. What has no end is left out, and so is what is too long for a line. */
async function* linesFrom(handle: FileHandle, from: number): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  const buffer = Buffer.alloc(READ_BYTES);
  for (let at = from; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    let bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE)) {
      yield bytes.subarray(0, end);
      bytes = bytes.subarray(end + 1);
    }
    rest = bytes.length > MAX_HEAD + MAX_LINE_BYTES ? Buffer.alloc(0) : bytes;
  }
}

/** The length up to the last end of a line. */
async function endOfLines(handle: FileHandle, size: number): Promise<number> {
  const from = Math.max(0, size - MAX_HEAD - MAX_LINE_BYTES - 1);
  const buffer = Buffer.alloc(size - from);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
  const last = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
  // A file of something else's is left as it is.
  return last < 0 && from > 0 ? size : from + last + 1;
}

function refused(path: string, reason: string): A3sError {
  return new A3sError('invalid-argument', `Cannot write the log ${path}: ${reason}`, {
    remedy: 'Let kubelet make the directory, and leave the file to this server.',
  });
}
