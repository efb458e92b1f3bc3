/**
 * OVMF images: the table of GUIDs at their end, and the SEV metadata that it points at.
 *
 * Untrusted: a hostile image may cost no more than its own size.
 *
 * @module
 */

import { LaunchDigest, PAGE_SIZE } from '../launch-digest.ts';
import { GUID_SIZE, guidText } from './guid.ts';
import { KERNEL_HASH_TABLE_SIZE } from './kernel-hashes.ts';
import {
  checkMetadata,
  MAX_SECTIONS,
  type MeasuredOvmf,
  type OvmfMetadata,
  type OvmfSection,
  refuse,
  SECTION_TYPES,
  type SectionType,
} from './ovmf-metadata.ts';

/** What an image says of itself. */
export interface OvmfImage extends OvmfMetadata {
  /** Bytes. */
  readonly size: number;
  /** Guest-physical address of its first byte: it ends at 4 GiB. */
  readonly gpa: number;
  /** It is a secure VM service module, which is measured by rules of its own. */
  readonly svsm: boolean;
}

/** QEMU takes no larger firmware. */
export const MAX_OVMF_SIZE = 16 * 1024 * 1024;

const FOOTER = '96b582de-1fb2-45f7-baea-a366c55a082d';
const SEV_HASH_TABLE = '7255371f-3a3b-4b04-927b-1da6efa8d454';
const SEV_ES_RESET_BLOCK = '00f771de-1a7e-4fcb-890e-68c77e2fb44e';
const SEV_METADATA = 'dc886566-984a-4798-a75e-5585a7bf67cc';
const SVSM_INFO = 'a789a612-0597-4c4b-a49f-cbb1fe9d1ddd';

/** Bytes behind the table: the reset vector. */
const TAIL = 32;
/** A length and a GUID stand behind the data of each entry. */
const ENTRY_TRAILER = 2 + GUID_SIZE;
const METADATA_HEADER = 16;
const METADATA_ITEM = 12;
/** "ASEV", little-endian. */
const METADATA_SIGNATURE = 0x56455341;

/**
 * Reads the footer of an OVMF image.
 *
 * @param bytes - the image; whole pages, at most 16 MiB
 * @throws AttestationError `ovmf-malformed`
 */
export function parseOvmf(bytes: Uint8Array): OvmfImage {
  const size = bytes.length;
  if (size === 0 || size % PAGE_SIZE !== 0 || size > MAX_OVMF_SIZE) {
    refuse(`whole pages, at most ${MAX_OVMF_SIZE} bytes`, `${size} bytes`);
  }
  const table = readTable(bytes);
  const hashTableGpa = readHashTable(table.get(SEV_HASH_TABLE));
  const image = {
    size,
    gpa: 0x1_0000_0000 - size,
    svsm: table.has(SVSM_INFO),
    sections: readSections(bytes, word(table.get(SEV_METADATA), 'SEV metadata')),
    resetEip: word(table.get(SEV_ES_RESET_BLOCK), 'SEV-ES reset block'),
    ...(hashTableGpa === undefined ? {} : { hashTableGpa }),
  };
  checkMetadata(image, image.gpa);
  return image;
}

/** The launch digest over an image's pages alone, 48 bytes; that of a whole launch starts there. */
export function ovmfHash(bytes: Uint8Array): Uint8Array {
  return new LaunchDigest().normal(0x1_0000_0000 - bytes.length, bytes).value();
}

/**
 * The figures of an image, so that it is hashed once for many digests.
 *
 * @throws AttestationError `ovmf-malformed`; also for an SVSM image
 */
export function measuredOvmf(bytes: Uint8Array): MeasuredOvmf {
  const { sections, hashTableGpa, resetEip, svsm } = parseOvmf(bytes);
  if (svsm) refuse('an image that boots a guest directly', 'an SVSM image');
  return {
    hash: ovmfHash(bytes),
    sections,
    resetEip,
    ...(hashTableGpa === undefined ? {} : { hashTableGpa }),
  };
}

/** GUID → data of each entry. The table grows downwards from its footer. */
function readTable(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const end = bytes.length - TAIL;
  if (guidText(bytes.subarray(end - GUID_SIZE, end)) !== FOOTER) {
    refuse('the footer of a GUID table', 'none');
  }
  const view = viewOf(bytes);
  const length = view.getUint16(end - ENTRY_TRAILER, true);
  if (length < ENTRY_TRAILER || length > end) refuse('a GUID table inside the image', `${length}`);
  const start = end - length;
  const table = new Map<string, Uint8Array>();
  for (let cursor = end - ENTRY_TRAILER; cursor > start; ) {
    if (cursor - start < ENTRY_TRAILER) refuse('a GUID table of whole entries', 'a rest');
    const size = view.getUint16(cursor - ENTRY_TRAILER, true);
    if (size < ENTRY_TRAILER || size > cursor - start) {
      refuse('GUID table entries inside the table', `one of ${size} bytes`);
    }
    const guid = guidText(bytes.subarray(cursor - GUID_SIZE, cursor));
    if (table.has(guid)) refuse('each GUID once', `${guid} twice`);
    table.set(guid, bytes.subarray(cursor - size, cursor - ENTRY_TRAILER));
    cursor -= size;
  }
  return table;
}

/** Address of the hash table; undefined where the build has none, which also 0 stands for. */
function readHashTable(entry: Uint8Array | undefined): number | undefined {
  if (entry === undefined) return undefined;
  if (entry.length !== 8) refuse('a hash table entry of 8 bytes', `${entry.length}`);
  const view = viewOf(entry);
  const gpa = view.getUint32(0, true);
  const size = view.getUint32(4, true);
  if (gpa === 0) return undefined;
  if (size < KERNEL_HASH_TABLE_SIZE) {
    refuse(`room of ${KERNEL_HASH_TABLE_SIZE} bytes for the hash table`, `${size}`);
  }
  return gpa;
}

function word(entry: Uint8Array | undefined, what: string): number {
  if (entry === undefined) refuse(`an entry for the ${what}`, 'none');
  if (entry.length !== 4) refuse(`4 bytes for the ${what}`, `${entry.length}`);
  return viewOf(entry).getUint32(0, true);
}

/** @param distance - of the metadata's start from the image's end */
function readSections(bytes: Uint8Array, distance: number): readonly OvmfSection[] {
  const start = bytes.length - distance;
  if (start < 0 || distance < METADATA_HEADER) refuse('SEV metadata inside the image', `${start}`);
  const view = viewOf(bytes.subarray(start));
  const [signature, size, version, count] = [0, 4, 8, 12].map((at) => view.getUint32(at, true));
  if (signature !== METADATA_SIGNATURE || version !== 1) {
    refuse('SEV metadata of version 1', `version ${version}`);
  }
  if (count === undefined || count > MAX_SECTIONS) {
    refuse(`at most ${MAX_SECTIONS} sections`, `${count}`);
  }
  const expected = METADATA_HEADER + count * METADATA_ITEM;
  if (size !== expected || expected > distance) {
    refuse(`SEV metadata of ${expected} bytes`, `${size}`);
  }
  return Array.from({ length: count }, (_, index) =>
    readSection(view, METADATA_HEADER + index * METADATA_ITEM),
  );
}

function readSection(view: DataView, offset: number): OvmfSection {
  const code = view.getUint32(offset + 8, true);
  const type = sectionType(code);
  if (type === undefined) refuse('sections of known types', `type ${code}`);
  return { gpa: view.getUint32(offset, true), size: view.getUint32(offset + 4, true), type };
}

/** The name of a section type's number. */
export function sectionType(code: number): SectionType | undefined {
  const types = Object.entries(SECTION_TYPES) as readonly [SectionType, number][];
  return types.find(([, number]) => number === code)?.[0];
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
