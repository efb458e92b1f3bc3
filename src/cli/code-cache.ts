/**
 * V8's code cache of the command line's bundle, kept beside it. Without it, half of a command's
 * start is compilation.
 *
 * V8 accepts a cache where its own version, its flags and the length of the source agree, and a
 * damaged cache makes it crash. So the name holds the version of Node and the digest of the bundle,
 * and a checksum ends the file.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { arch, version } from 'node:process';
import { crc32 } from 'node:zlib';

const CHECKSUM_BYTES = 4;

/** @param bundle path of the bundle, whose name holds its digest */
export function codeCachePath(bundle: string): string {
  return `${bundle}-${version}-${arch}.cache`;
}

/**
 * Undefined where there is none for this Node, or it cannot be read or is damaged. The bundle is
 * then compiled.
 */
export function readCodeCache(bundle: string): Buffer | undefined {
  let file: Buffer;
  try {
    file = readFileSync(codeCachePath(bundle));
  } catch {
    return undefined;
  }
  const end = file.length - CHECKSUM_BYTES;
  const data = file.subarray(0, Math.max(end, 0));
  return data.length > 0 && crc32(data) === file.readUInt32LE(end) ? data : undefined;
}

/** The conditions for a file to be read again. */
export function sealCodeCache(data: Buffer): Buffer {
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32LE(crc32(data));
  return Buffer.concat([data, checksum]);
}
