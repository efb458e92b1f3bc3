/**
 * The size of the disk for a writable layer that the guest encrypts.
 *
 * @module
 */

/** What dm-integrity lays out, in sectors; native/agent/dm/crypt.go computes with the same. */
const SECTOR = 512;
const HEAD_SECTORS = 1024;
const RUN_SECTORS = 32_768;
const TAG_SECTORS = 384;

/** How large a disk is on which so many bytes can be encrypted, beside their tags. */
export function encryptedDiskBytes(bytes: number): number {
  const runs = Math.ceil(bytes / (RUN_SECTORS * SECTOR));
  return (HEAD_SECTORS + runs * (RUN_SECTORS + TAG_SECTORS)) * SECTOR;
}
