/**
 * Repairs a log that is damaged at some place, and keeps the records behind it.
 *
 * @module
 */
import { constants } from 'node:fs';
import { copyFile, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { renameDurably } from '../../durable.ts';
import { decodeRecord, HEADER_BYTES, MAX_PAYLOAD } from './record.ts';

const WINDOW_BYTES = 8 * (HEADER_BYTES + MAX_PAYLOAD);
/** A crash tears at most what was not flushed yet. */
const MAX_TORN = 4 * 1024 * 1024;

/**
 * Repairs the log at `path`, whose records are whole up to byte `from`. A half-written rest of a
 * crash is cut off. Where whole records or too many bytes follow, the damaged file is kept aside,
 * and a new file gets every record that can be read.
 *
 * @returns where the damaged file was kept; undefined where nothing can have been lost
 */
export async function repairLog(path: string, from: number): Promise<string | undefined> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    if (size === from) return undefined;
    const first = await recordsBehind(file, from).next();
    if (first.done === true && size - from <= MAX_TORN) {
      await file.truncate(from);
      await file.datasync();
      return undefined;
    }
    return await rebuild(path, file, from);
  } finally {
    await file.close();
  }
}

async function rebuild(path: string, damaged: FileHandle, from: number): Promise<string> {
  const fresh = `${path}.new`;
  const aside = `${path}.damaged-${Date.now()}`;
  try {
    await copyFile(path, fresh, constants.COPYFILE_FICLONE);
    const file = await open(fresh, 'r+');
    try {
      await file.truncate(from);
      let position = from;
      for await (const bytes of recordsBehind(damaged, from)) {
        await file.write(bytes, 0, bytes.length, position);
        position += bytes.length;
      }
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(path, aside);
    await renameDurably(fresh, path);
    return aside;
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** Whole records from `from` on, wherever they begin. Each is valid until the next step. */
async function* recordsBehind(file: FileHandle, from: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(WINDOW_BYTES);
  let window = buffer.subarray(0, 0);
  let position = from;
  for (;;) {
    const kept = window.length;
    buffer.set(window);
    const { bytesRead } = await file.read(buffer, kept, WINDOW_BYTES - kept, position);
    position += bytesRead;
    window = buffer.subarray(0, kept + bytesRead);
    const last = bytesRead === 0;
    while (window.length >= HEADER_BYTES) {
      const found = decodeRecord(window);
      if (found !== undefined && 'need' in found) {
        if (!last) break;
      } else if (found !== undefined) {
        const end = HEADER_BYTES + found.payload.length;
        yield window.subarray(0, end);
        window = window.subarray(end);
        continue;
      }
      window = window.subarray(1);
    }
    if (last) return;
  }
}
