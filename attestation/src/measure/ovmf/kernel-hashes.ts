/**
 * The hash table through which OVMF checks kernel, initrd and command line (measured direct boot).
 *
 * QEMU writes it with `kernel-hashes=on`; it is a page of the launch digest.
 *
 * @module
 */
import { AttestationError } from '../../errors.ts';
import { PAGE_SIZE, sha256 } from '../launch-digest.ts';
import { GUID_SIZE, guidBytes } from './guid.ts';

const TABLE_GUID = guidBytes('9438d606-4f22-4cc9-b479-a793d411fd21');
const CMDLINE_GUID = guidBytes('97d02dd8-bd20-4c94-aa78-e7714d36ab2a');
const INITRD_GUID = guidBytes('44baf731-3a2f-4bd7-9af1-41e29169781d');
const KERNEL_GUID = guidBytes('4de79437-abd2-427f-b835-d5b172d2045b');

const HEADER_SIZE = GUID_SIZE + 2;
const ENTRY_SIZE = HEADER_SIZE + 32;
/** What the header says; the table is padded to a multiple of 16 behind it. */
const LENGTH = HEADER_SIZE + 3 * ENTRY_SIZE;

/** Bytes of the table. */
export const KERNEL_HASH_TABLE_SIZE = 176;

/** SHA-256 of each; 32 bytes. */
export interface KernelHashes {
  readonly kernel: Uint8Array;
  /** Of no bytes, where there is no initrd. */
  readonly initrd: Uint8Array;
  /** Of the text and one NUL behind it: {@link cmdlineHash}. */
  readonly cmdline: Uint8Array;
}

/** SHA-256 of no bytes, which stands for a missing initrd. */
export const EMPTY_SHA256 = sha256(new Uint8Array(0));

/** Longest command line that is taken, in bytes of UTF-8 without the NUL. */
export const MAX_CMDLINE = 65_536;

/**
 * The hash of a command line as QEMU takes it: of its UTF-8 and a NUL.
 *
 * @throws AttestationError `measure-input`: a NUL inside, a lone surrogate, too long.
 */
export function cmdlineHash(append: string): Uint8Array {
  const text = new TextEncoder().encode(append);
  if (append.includes('\0') || /\p{Surrogate}/u.test(append) || text.length > MAX_CMDLINE) {
    throw new AttestationError('measure-input', 'Cannot measure the kernel command line', {
      expected: `well-formed text of at most ${MAX_CMDLINE} bytes without NUL`,
      found: `${text.length} bytes that are not`,
      remedy: 'Give the command line exactly as the monitor gets it.',
    });
  }
  return terminatedHash(append);
}

/** {@link cmdlineHash} without its checks. */
export function terminatedHash(append: string): Uint8Array {
  return sha256(new TextEncoder().encode(`${append}\0`));
}

/** The table: header, command line, initrd, kernel, padding; 176 bytes. */
export function kernelHashTable(hashes: KernelHashes): Uint8Array {
  const table = new Uint8Array(KERNEL_HASH_TABLE_SIZE);
  writeHeader(table, 0, TABLE_GUID, LENGTH);
  const entries = [
    [CMDLINE_GUID, hashes.cmdline],
    [INITRD_GUID, hashes.initrd],
    [KERNEL_GUID, hashes.kernel],
  ] as const;
  for (const [index, [guid, hash]] of entries.entries()) {
    const offset = HEADER_SIZE + index * ENTRY_SIZE;
    writeHeader(table, offset, guid, ENTRY_SIZE);
    table.set(hash, offset + HEADER_SIZE);
  }
  return table;
}

/**
 * The page that holds the table at its place within it; otherwise zeros.
 *
 * @param tableGpa - its guest-physical address; a `RangeError` where the table leaves the page
 */
export function kernelHashesPage(hashes: KernelHashes, tableGpa: number): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE);
  page.set(kernelHashTable(hashes), tableGpa % PAGE_SIZE);
  return page;
}

function writeHeader(table: Uint8Array, offset: number, guid: Uint8Array, length: number): void {
  table.set(guid, offset);
  new DataView(table.buffer).setUint16(offset + GUID_SIZE, length, true);
}
