/**
 * How much of a box's output is kept, and in what files.
 *
 * Files are smaller than what Docker calls one, so that what is dropped at a time is little, and the end of a log is found
 * without its beginning. What counts is all of them together.
 *
 * @module
 */
import type { LogSettings } from '../record/box.ts';

export interface Retention {
  /** Of one file. */
  readonly fileBytes: number;
  /** Of all of them. */
  readonly totalBytes: number;
  readonly compress: boolean;
}

const MAX_FILE = 8 * 1024 * 1024;
/** Whoever reads a compressed file holds all of it. */
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
  // Where there is one file only, some of it has to stay when it is full.
  const share = maxFiles === 1 ? Math.floor(maxBytes / 2) : maxBytes;
  const most = compress ? MAX_COMPRESSED_FILE : MAX_FILE;
  const fileBytes = Math.max(MIN_FILE, Math.min(share, most));
  return { fileBytes, totalBytes: Math.max(maxBytes * maxFiles, 2 * fileBytes), compress };
}
