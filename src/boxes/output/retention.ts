/**
 * How much of a box's output is kept, and in which files.
 *
 * Files are smaller than what Docker calls one, so that little is dropped at a time, and the end of
 * a log is found without its beginning. The limit is the size of all of them together.
 *
 * @module
 */
import type { LogSettings } from '../record/box.ts';

export interface Retention {
  /** The limit of one file. */
  readonly fileBytes: number;
  /** The limit of all files together. */
  readonly totalBytes: number;
  readonly compress: boolean;
}

const MAX_FILE = 8 * 1024 * 1024;
/** A reader of a compressed file holds all of it in memory. */
const MAX_COMPRESSED_FILE = 1024 * 1024;
/** A few records have to fit. */
const MIN_FILE = 4096;

export const EVERYTHING: Retention = {
  fileBytes: MAX_FILE,
  totalBytes: Number.POSITIVE_INFINITY,
  compress: false,
};

export function retentionOf({ maxBytes, maxFiles, compress }: LogSettings): Retention {
  if (maxBytes === undefined) return EVERYTHING;
  // Where there is only one file, a part of it has to stay when it is full.
  const share = maxFiles === 1 ? Math.floor(maxBytes / 2) : maxBytes;
  const most = compress ? MAX_COMPRESSED_FILE : MAX_FILE;
  const fileBytes = Math.max(MIN_FILE, Math.min(share, most));
  return { fileBytes, totalBytes: Math.max(maxBytes * maxFiles, 2 * fileBytes), compress };
}
